"""Event loop of the engine's processes, and their end with the process that started them."""

from __future__ import annotations

import asyncio
import ctypes
import os
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


def end_with_parent(parent_pid: int) -> None:
    """Ask for SIGTERM if the process that started this one is killed, and so cannot end it.

    Args:
        parent_pid: Its process id, to find out whether it was killed before this was called.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent_pid:
        sys.exit("The process that started this one is gone.")
