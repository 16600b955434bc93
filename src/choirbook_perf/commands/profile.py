"""`choirbook perf profile`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ProfiledProtocol(StrEnum):
    """Protocol of the load."""

    HTTP = "http"
    MCP = "mcp"
    ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(profile)


def profile(
    pid: Annotated[
        int | None, typer.Option(help="Process id of a running server.  [default: start a Choirbook]")
    ] = None,
    url: Annotated[str | None, typer.Option(help="With --pid: URL to load.  [default: no load]")] = None,
    library: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Library for the Choirbook that is started.")
    ] = None,
    protocol: Annotated[ProfiledProtocol, typer.Option(help="Protocol of the load.")] = ProfiledProtocol.ALL,
    duration: Annotated[
        int, typer.Option(min=1, metavar="S", help="Length of each recording, in seconds.")
    ] = 10,
    rate: Annotated[int, typer.Option(min=1, max=1000, help="Samples per second.")] = 200,
    connections: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of connections of the load, without think time.")
    ] = 16,
    all_threads: Annotated[
        bool, typer.Option("--all-threads", help="Also sample threads that do not hold Python's lock.")
    ] = False,
    cprofile: Annotated[
        bool, typer.Option("--cprofile", help="Count calls in one process instead of sampling.")
    ] = False,
    requests: Annotated[
        int, typer.Option(min=1, help="With --cprofile: number of requests of each kind.")
    ] = 2000,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Directory for the files.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Profile a server. Writes a flame graph, the slowest functions, and the cost of each stage of a read."""
    from choirbook_perf.errors import BadInput
    from choirbook_perf.output import to_json, write_text
    from choirbook_perf.profiling.profiler import (
        RESULT_NAME,
        SPEEDSCOPE_NAME,
        SVG_NAME,
        Options,
        count,
        sample,
    )
    from choirbook_perf.profiling.profiles import tables_of

    if url is not None and pid is None:
        raise BadInput("--url needs --pid: py-spy inspects a process on this machine. Pass both, or neither.")
    place = out or Path("perf-results") / "profile"
    if cprofile:
        result = count(requests)
    else:
        result = sample(Options(pid, url, library, protocol, duration, rate, connections, all_threads, place))
    write_text(place / RESULT_NAME, to_json(result))
    typer.echo(to_json(result) if json else tables_of(result), nl=not json)
    names = [RESULT_NAME] if cprofile else [SVG_NAME, SPEEDSCOPE_NAME, RESULT_NAME]
    typer.echo(f"\nWritten to {place}: {', '.join(names)}", err=True)
