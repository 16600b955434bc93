"""Options shared by several commands, and the settings made from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from choirbook.settings import Settings


def path_of(text: str) -> Path:
    """Parse a path; an empty one, as from an unset variable, would mean the working directory."""
    if not text:
        raise typer.BadParameter("the path is empty. Pass a path, or omit it")
    return Path(text)


Directory = Annotated[
    Path | None,
    typer.Argument(
        parser=path_of,
        metavar="[DIR]",
        help="Directory of the library.  [default: the built-in starter library]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Switch = Annotated[
    Literal["on", "off"] | None,
    typer.Option(
        "--tools", help="Offer read-only tools, for clients that cannot read resources.  [default: on]"
    ),
]
Usage = Annotated[
    Path | None,
    typer.Option(
        parser=path_of,
        metavar="FILE",
        help="File that records what is read and by whom, across restarts.",
    ),
]
Clients = Annotated[
    Literal["on", "off"] | None,
    typer.Option("--usage-clients", help="Record usage per client.  [default: on with --usage]"),
]
LogFormat = Annotated[
    Literal["json", "console"] | None,
    typer.Option(help="Format of log lines on stderr.  [default: console on a terminal, json elsewhere]"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None,
    typer.Option(help="Minimum log level.  [default: info]"),
]
LogHits = Annotated[
    float | None,
    typer.Option(metavar="0..1", help="Fraction of cache hits to log.  [default: 1]"),
]
Admin = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address for admin calls: unix:PATH or 127.0.0.1:PORT."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(parser=path_of, metavar="FILE", help="File with the token that admin calls require."),
]
Config = Annotated[Path | None, typer.Option(parser=path_of, metavar="FILE", help="TOML file with settings.")]
SecretFile = Annotated[
    Path | None,
    typer.Option(parser=path_of, metavar="FILE", help="File with the secret that signs values in Redis."),
]
Unsigned = Annotated[
    bool | None,
    typer.Option("--redis-unsigned", help="Trust everyone who can write to a Redis on another machine."),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        parser=path_of,
        metavar="FILE",
        help="File of NAME=value lines, read like environment variables.",
    ),
]


def flags_of(directory: Path | None, **values: object) -> dict[str, Any]:
    """Return the values of the command line, by the names of settings."""
    return {"root": directory, **values}


def is_on(switch: str | None) -> bool | None:
    """Return the value of a switch; None if it was not given."""
    return None if switch is None else switch == "on"


def settings_of(flags: dict[str, Any], config: Path | None, env_file: Path | None) -> Settings:
    """Return the settings of the command line, the environment and the files.

    Raises:
        InvalidSettings: They cannot be used.
    """
    # A command without settings starts without this import.
    from choirbook.settings import load

    return load(flags, config=config, env_file=env_file)
