"""Settings of the C library's allocator for freed memory."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`, from its malloc.h."""

KEPT_BYTES = 16 * 1024 * 1024
"""Free memory at the end of the heap that a process keeps, in bytes."""

OWN_MAPPING_BYTES = 1024 * 1024
"""Size from which blocks are mapped individually, and returned to the system as soon as they are freed."""


def keep_freed_memory() -> bool:
    """Make this process keep a bounded amount of freed memory, instead of returning it at once.

    glibc returns the free end of its heap from 128 KiB on. The bodies of a hundred requests and a batch of
    log lines are larger, so at each batch the same pages would be returned, requested again, and cleared by
    the kernel (docs/adr/0009).

    Returns:
        Whether the C library supports this; only glibc does.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    # Setting only one of the two stops glibc from adapting the other.
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES)) and bool(mallopt(_MMAP_THRESHOLD, OWN_MAPPING_BYTES))
