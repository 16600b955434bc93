"""The event loop of the engine's processes: uvloop, or asyncio's own where it is not installed."""

from __future__ import annotations

import asyncio


def runner() -> asyncio.Runner:
    """Return a runner with the faster loop."""
    try:
        import uvloop  # not everywhere
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
