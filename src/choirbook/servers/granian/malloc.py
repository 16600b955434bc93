"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`, from its malloc.h."""

KEPT_BYTES = 16 * 1024 * 1024
"""Free memory at the end of the heap that a process keeps."""

OWN_MAPPING_BYTES = 1024 * 1024
"""Blocks from this size on are mapped one by one, and go back to the system as soon as they are freed."""


def keep_freed_memory() -> bool:
    """Have this process keep a bounded amount of freed memory, instead of giving it back at once.

    glibc gives back what is free at the end of its heap from 128 KiB on. The bodies of a hundred requests
    and a batch of log lines are more, so at each batch the same pages would be given back, asked for
    again, and cleared by the kernel (docs/adr/0009).

    Returns:
        Whether the C library can be told; others than glibc cannot.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    # Setting one of the two stops glibc from finding its own value for the other.
    return bool(tell(_TRIM_THRESHOLD, KEPT_BYTES)) and bool(tell(_MMAP_THRESHOLD, OWN_MAPPING_BYTES))
