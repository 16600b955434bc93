"""Command line of `choirbook`, and the exit codes of errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from choirbook import __version__
from choirbook.cli.cache_arguments import cache
from choirbook.cli.options import (
    Admin,
    Clients,
    Config,
    Directory,
    EnvFile,
    Json,
    LogFormat,
    LogHits,
    LogLevel,
    SecretFile,
    Switch,
    TokenFile,
    Unsigned,
    Usage,
    flags_of,
    is_on,
    path_of,
    settings_of,
)
from choirbook.cli.output import complain, say
from choirbook.errors import ChoirbookError, ExtraMissing

app = typer.Typer(
    name="choirbook",
    help="Serve a team's standards, patterns and templates to coding agents, over MCP and HTTP.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(cache, name="cache")


def main() -> None:
    """Run the command line; a `ChoirbookError` becomes a line on stderr and an exit code."""
    try:
        app()
    except ChoirbookError as error:
        complain(f"choirbook: {error.message}")
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"choirbook {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve a team's standards, patterns and templates to coding agents, over MCP and HTTP."""


@app.command()
def serve(
    directory: Directory = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 picks a free one.  [default: 8000]")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Number of worker processes.  [default: 1]")] = None,
    config: Config = None,
    env_file: EnvFile = None,
    public: Annotated[
        bool | None,
        typer.Option("--public", help="Allow listening beyond loopback, although clients need no login."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Host name that clients use; * for any; may be repeated.")
    ] = None,
    allowed_origin: Annotated[
        list[str] | None, typer.Option(help="Additional browser origin to accept; may be repeated.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="Proxy whose X-Forwarded-* headers are trusted; may be repeated."
        ),
    ] = None,
    peer_share: Annotated[
        float | None,
        typer.Option(
            metavar="0..1", help="Fraction of each limit that one client address may use.  [default: 0.25]"
        ),
    ] = None,
    access_log: Annotated[
        bool | None,
        typer.Option("--access-log/--no-access-log", help="Log one JSON line per read to stderr."),
    ] = None,
    metrics: Annotated[
        Literal["on", "off"] | None, typer.Option(help="Serve Prometheus metrics at /metrics.  [default: on]")
    ] = None,
    preload: Annotated[
        bool | None, typer.Option("--preload", help="Load the library into memory after startup.")
    ] = None,
    tools: Switch = None,
    dashboard: Annotated[
        Literal["on", "off"] | None,
        typer.Option("--dashboard", help="Serve a web dashboard at /dashboard.  [default: on loopback only]"),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Redis shared by all workers and hosts: redis://HOST.")
    ] = None,
    redis_secret_file: SecretFile = None,
    redis_unsigned: Unsigned = None,
    usage: Usage = None,
    usage_clients: Clients = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    log_hits: LogHits = None,
    log_request_ids: Annotated[
        bool | None, typer.Option("--log-request-ids", help="Log the X-Request-Id and trace id of each read.")
    ] = None,
    admin: Admin = None,
    admin_token_file: TokenFile = None,
) -> None:
    """Serve a library over MCP and HTTP."""
    from choirbook.cli.serve import serve as run

    flags = flags_of(directory, host=host, port=port, workers=workers, public=public, access_log=access_log)
    flags["allowed_hosts"] = tuple(allowed_host) if allowed_host else None
    flags |= {"preload": preload, "tools": is_on(tools), "metrics": is_on(metrics), "redis_url": redis}
    flags |= {"redis_secret_file": redis_secret_file, "redis_unsigned": redis_unsigned}
    flags |= {"usage": usage, "usage_clients": is_on(usage_clients), "dashboard": is_on(dashboard)}
    flags |= {"log_format": log_format, "log_level": log_level, "log_hits": log_hits}
    flags["log_request_ids"] = log_request_ids
    flags |= {"admin": admin, "admin_token_file": admin_token_file}
    flags["trusted_proxies"] = tuple(trusted_proxy) if trusted_proxy else None
    flags["peer_share"] = peer_share
    flags["allowed_origins"] = tuple(allowed_origin) if allowed_origin else None
    run(settings_of(flags, config, env_file))


def _refuse_env_file(value: Path | None) -> None:
    # An agent starts this in its working directory, whose files may be untrusted.
    if value is not None:
        raise typer.BadParameter(
            "'choirbook stdio' reads no environment file. Set the variables in the agent's configuration of "
            "this command, or pass flags."
        )


@app.command()
def stdio(
    directory: Directory = None,
    config: Config = None,
    tools: Switch = None,
    usage: Usage = None,
    usage_clients: Clients = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    env_file: Annotated[Path | None, typer.Option(hidden=True, callback=_refuse_env_file)] = None,  # noqa: ARG001
) -> None:
    """Serve MCP over stdin and stdout. For agents that start the server themselves."""
    from choirbook.cli.stdio import serve_stdio

    flags = flags_of(directory, tools=is_on(tools), usage=usage, usage_clients=is_on(usage_clients))
    flags |= {"log_format": log_format, "log_level": log_level}
    serve_stdio(settings_of(flags, config, None))


@app.command(name="list")
def list_(directory: Directory = None, env_file: EnvFile = None, json: Json = False) -> None:
    """List the resources that would be served."""
    from choirbook.cli.inspect import list_resources

    list_resources(settings_of(flags_of(directory), None, env_file), as_json=json)


@app.command()
def read(
    uri: Annotated[str, typer.Argument(help="Resource URI, such as mcp://resources/sdlc/core.")],
    directory: Directory = None,
    env_file: EnvFile = None,
) -> None:
    """Write one resource's bytes to stdout."""
    from choirbook.cli.inspect import read_resource

    read_resource(settings_of(flags_of(directory), None, env_file), uri)


@app.command()
def check(directory: Directory = None, env_file: EnvFile = None, json: Json = False) -> None:
    """Check a library for problems; exit 1 if there are any."""
    from choirbook.cli.inspect import check_library

    if not check_library(settings_of(flags_of(directory), None, env_file), as_json=json):
        raise typer.Exit(1)


@app.command()
def usage(
    path: Annotated[
        Path | None,
        typer.Argument(
            parser=path_of,
            metavar="[FILE]",
            help="A server's usage file.  [default: that of the running server]",
        ),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="Output format.")
    ] = "table",
    env_file: EnvFile = None,
) -> None:
    """Show which resources are read, and by whom. Also lists those that are never read."""
    from choirbook.cli.usage import print_usage

    print_usage(path or settings_of({}, None, env_file).usage, form)


@app.command()
def top(
    url: Annotated[
        str | None,
        typer.Option(help="URL of the server.  [default: this machine, port CHOIRBOOK_PORT or 8000]"),
    ] = None,
    interval_s: Annotated[
        float, typer.Option("--interval", min=0.1, max=3600, metavar="SECONDS", help="Time between updates.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Show the figures of one interval, then exit.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line per interval, for programs.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Watch a running server: rates, latencies, cache and problems."""
    from choirbook.cli.top.watch import watch

    url = url or f"http://127.0.0.1:{settings_of({}, None, env_file).port}"
    watch(url, interval_s, once=once, as_json=json)


@app.command(hidden=True)
def stages(
    json: Json = False,
    batches: Annotated[int, typer.Option(min=1, help="Number of batches to measure.")] = 30,
    document_bytes: Annotated[
        int, typer.Option("--bytes", min=100, max=8_000_000, help="Approximate size of the document.")
    ] = 20_000,
    calls: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Count function calls over N requests of each kind instead."),
    ] = None,
) -> None:
    """Measure what each stage of a read costs; used by `choirbook perf profile`."""
    from choirbook.cli.stages import print_calls, print_stages

    if calls is None:
        print_stages(batches, document_bytes, as_json=json)
    else:
        print_calls(calls, document_bytes, as_json=json)


# Everything after `perf` is passed to choirbook_perf, which the other commands do not even import. Words
# after the first one are not looked at, so that a `--` is passed too.
@app.command(
    add_help_option=False,
    context_settings={
        "allow_extra_args": True,
        "allow_interspersed_args": False,
        "ignore_unknown_options": True,
    },
)
def perf(context: typer.Context) -> None:
    """Measure how fast Choirbook or another server is. Needs the extra choirbook[perf]."""
    try:
        from choirbook_perf.cli import main as run
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"'choirbook perf' needs {error.name}, which is not installed. Run: pip install 'choirbook[perf]'"
        ) from error
    run(context.args)
