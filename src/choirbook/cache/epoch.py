"""The epoch of a process's caches: it changes with each invalidation.

Shared by the module that invalidates (`library/invalidation`) and those that load (`library/loader`,
`library/reads`). A load remembers the epoch in which it begins. If it ends in another one, its bytes may have
been invalidated while it ran, and are not kept as current. For use on the event loop only, so it needs
no lock. The epochs of the feed are different: they number the invalidations of all hosts (`redis/feed`).
"""

from __future__ import annotations

from typing import NewType

Epoch = NewType("Epoch", int)
"""Compare it for equality only. It may be part of a key."""


class InvalidationEpoch:
    """Distinguishes loads that began before an invalidation from those that began after it."""

    __slots__ = ("_now",)

    def __init__(self) -> None:
        self._now = Epoch(0)

    @property
    def now(self) -> Epoch:
        """Return the epoch in which a load begins now."""
        return self._now

    def advance(self) -> None:
        """Begin a new epoch, because content was invalidated."""
        self._now = Epoch(self._now + 1)

    def is_over(self, began: Epoch) -> bool:
        """Tell whether anything was invalidated since a load began.

        Args:
            began: The epoch in which it began.
        """
        return began != self._now
