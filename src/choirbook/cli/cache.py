"""`choirbook cache invalidate`, `warm` and `stats`: control the caches of a running server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rich.table import Table

from choirbook.admin.client import AdminClient
from choirbook.admin.responses import INVALIDATE, STATS, WARM, InvalidateResponse, ReadCounts, StatusResponse
from choirbook.admin.token import with_token
from choirbook.cli.output import console, say, say_json
from choirbook.errors import ServerIncomplete
from choirbook.settings import Settings
from choirbook.workers.status import ConnectionState, WorkerState

_LOOK_S = 0.25
"""Poll interval in seconds while workers are preloading."""

_HOSTS = {
    ConnectionState.UP: "Other hosts are notified through Redis.",
    ConnectionState.DOWN: "Redis is unavailable: other hosts are notified when it is back.",
}


def invalidate(settings: Settings, uri: str | None, type_: str | None, *, as_json: bool) -> None:
    """Invalidate a resource, all resources of a type, or with neither all resources.

    Raises:
        ChoirbookError: The server cannot be reached, or refuses.
        ServerIncomplete: A worker is stuck; it invalidates the content once it continues.
    """
    body = {"uri": _text(uri), "type": _text(type_), "all": uri is None and type_ is None}
    answer = _client(settings).call(INVALIDATE, body, InvalidateResponse)
    if as_json:
        say_json(answer)
    else:
        say(f"Invalidated: {_count(answer.forgotten, 'URI')} on {_count(answer.workers, 'worker')}.")
        if answer.feed is not ConnectionState.OFF:
            say(_HOSTS[answer.feed])
    _refuse_silence(answer.silent)


def warm(settings: Settings, wait_s: float, *, as_json: bool) -> None:
    """Make every worker preload, and wait for the end.

    Raises:
        ChoirbookError: The server cannot be reached, or refuses.
        ServerIncomplete: A worker is stuck, could not load everything, or has not finished yet.
    """
    client = _client(settings)
    end_s = time.monotonic() + wait_s
    answer = client.call(WARM, {"waitSeconds": 0}, StatusResponse)
    with console(stderr=True).status("", spinner="line") as status:
        while _is_warming(answer) and time.monotonic() < end_s:
            status.update(_progress(answer.workers))
            time.sleep(_LOOK_S)
            answer = client.call(STATS, {}, StatusResponse)
    if as_json:
        say_json(answer)
    else:
        _print_warming(answer.workers)
    _refuse_silence(answer.silent)
    if _is_warming(answer):
        raise ServerIncomplete(
            "The workers are still loading. Run 'choirbook cache warm' again to continue waiting."
        )
    if failed := sum(worker.warming.failed for worker in answer.workers):
        raise ServerIncomplete(
            f"{_count(failed, 'URI')} could not be loaded. See the server's log for the reasons."
        )


def stats(settings: Settings, *, as_json: bool) -> None:
    """Show the state of the workers' caches.

    Raises:
        ChoirbookError: The server cannot be reached, or refuses.
        ServerIncomplete: A worker is stuck.
    """
    answer = _client(settings).call(STATS, {}, StatusResponse)
    if as_json:
        say_json(answer)
    else:
        _print_stats(answer)
    _refuse_silence(answer.silent)


def _client(settings: Settings) -> AdminClient:
    return AdminClient(with_token(settings))


def _is_warming(answer: StatusResponse) -> bool:
    return any(worker.warming.running for worker in answer.workers)


def _progress(workers: Iterable[WorkerState]) -> str:
    passes = [worker.warming for worker in workers]
    done = sum(each.held + each.loaded + each.failed + each.no_room for each in passes)
    return f"{done:,} of {sum(each.uris for each in passes):,} URIs on all workers"


def _print_warming(workers: Sequence[WorkerState]) -> None:
    table = _table("Worker", "URIs", "Already cached", "Loaded", "Failed", "No room")
    for worker in workers:
        done = worker.warming
        row = (worker.pid, done.uris, done.held, done.loaded, done.failed, done.no_room)
        table.add_row(*(str(row[0]), *(f"{number:,}" for number in row[1:])))
    console().print(table)
    if any(worker.warming.no_room for worker in workers):
        say(
            "The cache is full. To cache the complete library, raise CACHE_MAX_SIZE or "
            "CHOIRBOOK_CACHE_MAX_BYTES."
        )


def _print_stats(answer: StatusResponse) -> None:
    table = _table(
        "Worker", "Entries", "Bytes", "Evictions", "Resources", "Generation", "Redis", "Feed", "Lost"
    )
    for worker in answer.workers:
        numbers = (worker.entries, worker.bytes, worker.evictions, worker.resources, worker.generation)
        links = (worker.redis.value, worker.feed.value, f"{worker.feed_losses:,}")
        table.add_row(str(worker.pid), *(f"{number:,}" for number in numbers), *links)
    console().print(table)
    say()
    say(_spell_reads(answer.reads))
    say(f"{answer.entries:,} entries, {answer.bytes:,} bytes, {answer.evictions:,} evictions")


def _spell_reads(reads: ReadCounts | None) -> str:
    if reads is None:
        return "Reads are not counted: the server runs with --metrics off."
    total = reads.hits + reads.misses
    rate = f" ({reads.hits / total:.1%})" if total else ""
    return f"{reads.hits:,} hits{rate}, {reads.misses:,} misses, {reads.stale:,} stale reads"


def _refuse_silence(silent: int) -> None:
    if silent:
        raise ServerIncomplete(
            f"{_count(silent, 'worker')} did not answer in time. The request stays queued; see the "
            "server's log for the cause."
        )


def _text(argument: str | None) -> str | None:
    """Replace bytes that are not UTF-8 by a character that no URI has: the server then reports the error."""
    return None if argument is None else argument.encode("utf-8", "replace").decode()


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table(first: str, *columns: str) -> Table:
    table = Table(first, box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right")
    return table
