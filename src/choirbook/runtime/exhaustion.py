"""Tell when a process or the system has no descriptor left. Pure but for `is_short`.

Such an error passes, and says nothing about what was to be opened: no document or request is at fault.
"""

from __future__ import annotations

import errno
import os
import resource

RESERVE_OF_LIMIT = 20
"""Fewer free descriptors than this part of the limit are few: a burst of connections takes them."""

MIN_RESERVE = 8

_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE))
_STDERR = 2


def is_exhaustion(error: BaseException) -> bool:
    """Tell whether an error says that no descriptor is left."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def is_short() -> bool:
    """Tell whether this process has few descriptors left, or none."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # The system gives out the lowest number that is free.
        lowest_free = os.dup(_STDERR)
    except OSError as error:
        return is_exhaustion(error)
    os.close(lowest_free)
    if limit == resource.RLIM_INFINITY:
        return False
    return lowest_free >= limit - max(MIN_RESERVE, limit // RESERVE_OF_LIMIT)
