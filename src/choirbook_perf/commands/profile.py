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
    native: Annotated[
        bool, typer.Option("--native", help="Also sample the kernel and native code, by perf of Linux.")
    ] = False,
    memory: Annotated[
        bool, typer.Option("--memory", help="Also record what the server allocates, by memray.")
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
    from choirbook_perf.profiling import profiler
    from choirbook_perf.profiling.profiled_server import Options
    from choirbook_perf.profiling.tables import tables_of

    if url is not None and pid is None:
        raise BadInput("--url needs --pid: py-spy inspects a process on this machine. Pass both, or neither.")
    if cprofile and (native or memory):
        raise BadInput("--cprofile counts calls without a server. Omit it, or omit --native and --memory.")
    place = out or Path("perf-results") / "profile"
    names = [profiler.RESULT_NAME]
    if cprofile:
        result = profiler.count(requests)
    else:
        options = Options(
            pid=pid,
            url=url,
            library=library,
            protocol=protocol,
            duration_s=duration,
            rate_hz=rate,
            connections=connections,
            all_threads=all_threads,
            native=native,
            memory=memory,
            out=place,
        )
        result = profiler.sample(options)
        names += [profiler.SVG_NAME, profiler.SPEEDSCOPE_NAME]
    if result.native is not None and not result.native.problem:
        names += [profiler.NATIVE_SVG_NAME, profiler.NATIVE_SPEEDSCOPE_NAME]
    write_text(place / profiler.RESULT_NAME, to_json(result))
    typer.echo(to_json(result) if json else tables_of(result), nl=not json)
    if result.native is not None and result.native.problem:
        typer.echo(f"\nNo native profile: {result.native.problem}", err=True)
    typer.echo(f"\nWritten to {place}: {', '.join(names)}", err=True)
