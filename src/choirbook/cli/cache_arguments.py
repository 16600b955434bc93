"""Command line of `choirbook cache`."""

from __future__ import annotations

from typing import Annotated

import typer

from choirbook.cli.options import Admin, Config, EnvFile, Json, TokenFile, settings_of

cache = typer.Typer(
    help="Manage the caches of a running server through its admin listener.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command()
def invalidate(
    uri: Annotated[str | None, typer.Argument(metavar="[URI]", help="URI of one resource.")] = None,
    type_: Annotated[str | None, typer.Option("--type", metavar="T", help="All resources of type T.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All resources.")] = False,
    admin: Admin = None,
    admin_token_file: TokenFile = None,
    config: Config = None,
    env_file: EnvFile = None,
    json: Json = False,
) -> None:
    """Invalidate cached content. All workers of all hosts load it again at the next read."""
    from choirbook.cli.cache import invalidate as run

    if (uri is not None) + (type_ is not None) + all_ != 1:
        raise typer.BadParameter("Pass exactly one of URI, --type T and --all.")
    settings = settings_of({"admin": admin, "admin_token_file": admin_token_file}, config, env_file)
    run(settings, uri, type_, as_json=json)


@cache.command()
def warm(
    admin: Admin = None,
    admin_token_file: TokenFile = None,
    config: Config = None,
    env_file: EnvFile = None,
    wait: Annotated[
        float, typer.Option(min=0, max=86_400, metavar="SECONDS", help="Longest time to wait.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Load resources that are not cached yet. Every worker loads them, as far as its cache has room."""
    from choirbook.cli.cache import warm as run

    run(
        settings_of({"admin": admin, "admin_token_file": admin_token_file}, config, env_file),
        wait,
        as_json=json,
    )


@cache.command()
def stats(
    admin: Admin = None,
    admin_token_file: TokenFile = None,
    config: Config = None,
    env_file: EnvFile = None,
    json: Json = False,
) -> None:
    """Show cache contents of every worker, and hits and misses."""
    from choirbook.cli.cache import stats as run

    run(settings_of({"admin": admin, "admin_token_file": admin_token_file}, config, env_file), as_json=json)
