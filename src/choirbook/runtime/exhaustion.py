"""Detection of exhausted file descriptors, of the process or the system. Pure but for `is_short`.

Such an error is temporary and says nothing about the file to be opened: no document or request is at fault.
"""

from __future__ import annotations

import errno
import os
import resource

RESERVE_OF_LIMIT = 20
"""Divisor of the descriptor limit: fewer free descriptors than limit / 20 are too few, as a burst of
connections takes them."""

MIN_RESERVE = 8

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE))
_STDERR = 2


def is_exhaustion(error: BaseException) -> bool:
    """Return whether an error means that no descriptor is left."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def is_short() -> bool:
    """Return whether this process has few descriptors left, or none."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # The system assigns the lowest free number.
        lowest_free = os.dup(_STDERR)
    except OSError as error:
        return is_exhaustion(error)
    os.close(lowest_free)
    if limit == resource.RLIM_INFINITY:
        return False
    return lowest_free >= limit - max(MIN_RESERVE, limit // RESERVE_OF_LIMIT)
