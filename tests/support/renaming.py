"""`renameat2(RENAME_EXCHANGE)`: swap two names in one step."""

import ctypes
import os
from pathlib import Path

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> None:
    """Swap what two paths name."""
    outcome = _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
