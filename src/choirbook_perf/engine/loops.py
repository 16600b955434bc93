"""What the engine's processes share: their event loop, and their end with the process that started them."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def runner() -> asyncio.Runner:
    """Return a runner with uvloop, or asyncio's own loop where that is not installed."""
    try:
        import uvloop  # not everywhere
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def end_with_parent() -> None:
    """Have this process ended by SIGTERM if the one that started it is killed, which cannot end it itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
