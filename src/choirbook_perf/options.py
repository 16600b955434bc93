"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from choirbook_perf.access import Access, access
from choirbook_perf.errors import BadInput


class Protocol(StrEnum):
    """Protocol to use."""

    HTTP = "http"
    MCP = "mcp"


class Era(StrEnum):
    """Era of MCP to use."""

    AUTO = "auto"
    MODERN = "modern"
    HANDSHAKE = "handshake"


class Arrivals(StrEnum):
    """Distances between requests in the open model."""

    CONSTANT = "constant"
    POISSON = "poisson"


Url = Annotated[
    str, typer.Option(help="URL of the server or its MCP endpoint.  [default: start a Choirbook]")
]
Users = Annotated[
    int | None, typer.Option(min=1, help="Closed model: users who wait for each answer.  [default: 100]")
]
Rate = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="N", help="Open model: requests per second, whatever the server does."),
]
Distances = Annotated[
    Arrivals | None,
    typer.Option("--arrivals", help="Distances between requests with --rate.  [default: constant]"),
]
MaxInFlight = Annotated[
    int | None, typer.Option(min=1, help="Most requests under way with --rate; those beyond are counted.")
]
Stages = Annotated[
    str, typer.Option(metavar="TIME:RATE,...", help="Several rates in turn, such as 30s:100,60s:500.")
]
WarmUp = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Load before the measurement.  [default: 2]"),
]
RunTime = Annotated[str, typer.Option(help="Length of the measurement, such as 90s or 1h30m.  [default: 5m]")]
ScenarioFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML: what to read.  [default: the built-in mix]")
]
Library = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Library to serve.  [default: the starter library]")
]
ResultDirectory = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Result directory.  [default: perf-results/<time>]")
]
ThinkTime = Annotated[
    str, typer.Option(metavar="MIN-MAX|none", help="Pause of a user, in seconds.  [default: 0.1-0.5]")
]
Slo = Annotated[str, typer.Option(metavar="FILE|mission|tight", help="TOML: thresholds, or a built-in file.")]
InjectedDelay = Annotated[
    float, typer.Option(min=0, metavar="MS", help="Delay every answer, to show that the gate works.")
]
CacheTtl = Annotated[
    float, typer.Option(min=0.001, help="Cache lifetime of the Choirbook that is started, in seconds.")
]
Locust = Annotated[bool, typer.Option("--locust", help="Let Locust make the load. It does not check itself.")]
Master = Annotated[
    bool, typer.Option("--master", help="Let Locust's workers on other machines make the load.")
]
Workers = Annotated[int, typer.Option(min=1, help="Workers of the Choirbook that is started.")]
Confirm = Annotated[
    bool, typer.Option("--confirm", help="Repeat an undecided or failed run. What failed once never passes.")
]
FailUnmeasured = Annotated[
    bool, typer.Option("--fail-unmeasured", help="Exit 1 instead of 3 if a required row was not measured.")
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="'NAME: VALUE'", help="Header of every request; may be repeated."),
]
HeaderFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with one such header a line, for secrets.")
]
Ca = Annotated[Path | None, typer.Option("--ca", metavar="FILE", help="Trusted authorities in PEM.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Accept any certificate of the server.")]
Stdio = Annotated[
    bool, typer.Option("--stdio", help="Start a server over stdio for each user: --stdio -- COMMAND.")
]
Command = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="Server over stdio.")]


def access_of(
    headers: list[str] | None, header_file: Path | None, ca: Path | None, *, is_insecure: bool
) -> Access:
    """Return the access that the options describe.

    Raises:
        BadInput: One of them cannot be used.
    """
    return access(headers or (), header_file, ca, is_insecure=is_insecure)


def stdio_of(command: list[str] | None, *, is_stdio: bool, url: str) -> tuple[str, ...]:
    """Return the command of a server over stdio, empty for one over HTTP.

    Raises:
        BadInput: The options do not fit together.
    """
    if is_stdio and not command:
        raise BadInput("--stdio needs the command of a server after --, such as: --stdio -- choirbook stdio.")
    if command and not is_stdio:
        raise BadInput(f"{command[0]!r} is not an option. A command of a server needs --stdio before it.")
    if is_stdio and url:
        raise BadInput("--stdio and --url exclude each other: a run has one server.")
    return tuple(command or ())
