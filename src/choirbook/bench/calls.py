"""`choirbook stages --calls N`: exact call counts of the handler code, from cProfile.

Counts are exact and reproducible; the times beside them are inflated by the profiler, most of all for small
functions.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from pathlib import Path

import msgspec

from choirbook.bench.driver import driven_app, hitting, new_loop

FORMAT = 1


class FunctionCount(msgspec.Struct, frozen=True):
    """One function."""

    function: str
    """Module or file, and name."""
    line: int
    calls: int
    calls_per_request: float
    own_us: float
    """Time in the function itself, in microseconds per request; inflated by the profiler."""
    cumulative_us: float
    """Time including all functions called, in microseconds per request."""


class RequestCounts(msgspec.Struct, frozen=True):
    """One kind of request."""

    request: str
    requests: int
    functions: tuple[FunctionCount, ...]
    """Functions, the most expensive first."""


class CallCounts(msgspec.Struct, frozen=True):
    """Call counts of all kinds of requests."""

    format: int
    document_bytes: int
    drives: tuple[RequestCounts, ...]


def count_calls(requests: int, document_bytes: int) -> CallCounts:
    """Run each kind of request `requests` times, all of them hits, and count the calls."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_count(requests, document_bytes))


async def _count(requests: int, document_bytes: int) -> CallCounts:
    counted = []
    async with driven_app(document_bytes) as driven:
        for what in driven.drives:
            call = hitting(driven.app, what)
            profile = cProfile.Profile()
            profile.enable()
            for _ in range(requests):
                call()
            profile.disable()
            counted.append(RequestCounts(what.name, requests, _functions(profile, requests)))
    return CallCounts(FORMAT, document_bytes, tuple(counted))


def _functions(profile: cProfile.Profile, requests: int) -> tuple[FunctionCount, ...]:
    # The table of pstats is an attribute that its type stubs omit.
    table: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(pstats.Stats(profile))[
        "stats"
    ]
    found = [
        FunctionCount(
            _name(file, name), line, calls, calls / requests, own_s / requests * 1e6, total_s / requests * 1e6
        )
        for (file, line, name), (_, calls, own_s, total_s, _) in table.items()
        if not file.endswith(("cProfile.py", "cli/counting.py", "cli/driving.py"))
    ]
    return tuple(sorted(found, key=lambda function: -function.own_us))


def _name(file: str, name: str) -> str:
    """Return the name of a function without a path of this machine."""
    if file == "~":
        return name
    parts = Path(file).parts
    for package in ("choirbook", "site-packages"):
        if package in parts:
            # The last one: the checkout's own directory may have the same name.
            last = len(parts) - 1 - parts[::-1].index(package)
            parts = parts[last if package == "choirbook" else last + 1 :]
            return f"{'/'.join(parts)}:{name}"
    return f"{Path(file).name}:{name}"
