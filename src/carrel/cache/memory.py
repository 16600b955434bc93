"""The in-process level: representations of the most recently read resources.

Bounded in resources and in bytes, keys counted. Look-ups are synchronous. Used on the event loop
only, so it needs no lock. Times come from the monotonic clock: a jump of the wall clock neither
expires everything nor makes an entry immortal.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from math import inf
from time import monotonic

from carrel.model import Form, Reading, Representation, ResourceInfo, ServedFrom

ENTRY_OVERHEAD_BYTES = 1024
"""Charged for each entry beside its body: headers, strings, dictionary slots, measured generously."""


class Bound(StrEnum):
    """What is not to be exceeded, and has URIs put out: a closed set, as it becomes a label."""

    RESOURCES = "resources"
    BYTES = "bytes"


class _Entry:
    __slots__ = ("failing_since_s", "hit", "info", "loaded_s")

    def __init__(self, info: ResourceInfo, representation: Representation, loaded_s: float) -> None:
        self.info = info
        self.hit = Reading(info, representation, ServedFrom.HIT)
        self.loaded_s = loaded_s
        self.failing_since_s: float | None = None


class MemoryCache:
    """Least-recently-used cache of representations by (URI, version, form).

    The version is part of the info, and all of the info counts: new rules that give a document another type
    or title make its old forms unreachable, as a new version does. One entry a form is kept for a URI; an
    older one is never returned by `get`, and stays as the last good content until the new one is loaded.

    Args:
        max_resources: URIs at most.
        max_bytes: Bodies plus `ENTRY_OVERHEAD_BYTES` each, at most.
        ttl_s: Age from which an entry is loaded again, in seconds.
        last_good_s: For how long a failing resource is served by `last_good`, in seconds.
    """

    def __init__(self, max_resources: int, max_bytes: int, ttl_s: float, last_good_s: float) -> None:
        self.max_resources = max_resources
        self.max_bytes = max_bytes
        self._longest_ttl_s = self._ttl_s = ttl_s
        self._last_good_s = last_good_s
        self._slots: OrderedDict[str, dict[Form, _Entry]] = OrderedDict()
        self.size_bytes = 0
        """Bytes charged now."""
        self.form_bytes: Counter[Form] = Counter()
        """The same by form."""
        self.evictions: Counter[Bound] = Counter()
        """URIs put out to keep the bounds, since the start."""

    def __len__(self) -> int:
        """Return the number of URIs held."""
        return len(self._slots)

    def get(self, info: ResourceInfo, form: Form, now_s: float) -> Reading | None:
        """Return the reading of exactly this key, unless its bytes are older than the TTL.

        Args:
            info: What the catalog says of the resource now.
            form: Of the key.
            now_s: What `monotonic` says; the caller looks at the clock anyway.
        """
        forms = self._slots.get(info.uri)
        if forms is None:
            return None
        entry = forms.get(form)
        if entry is None or now_s - entry.loaded_s > self._ttl_s:
            return None
        # Nearly always it is the very same object, and comparing members can be spared.
        if entry.info is not info and entry.info != info:
            return None
        self._slots.move_to_end(info.uri)
        return entry.hit

    def holds(self, info: ResourceInfo, form: Form, now_s: float) -> bool:
        """Tell whether `get` would return a reading; that it was asked for counts as no use of it."""
        entry = self._slots.get(info.uri, {}).get(form)
        return entry is not None and now_s - entry.loaded_s <= self._ttl_s and entry.info == info

    def has_room(self, uri: str, forms: Iterable[Form], body_bytes: int) -> bool:
        """Tell whether forms of a URI fit without putting another one out.

        Args:
            uri: Where they belong; what is held of them now makes room for them.
            forms: Those that would be put.
            body_bytes: Of each.
        """
        held = self._slots.get(uri)
        size_bytes = self.size_bytes
        for form in forms:
            size_bytes += body_bytes + ENTRY_OVERHEAD_BYTES
            if held is not None and form in held:
                size_bytes -= _cost(held[form])
        return (held is not None or len(self._slots) < self.max_resources) and size_bytes <= self.max_bytes

    def put(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Keep bytes, putting out the least recently used ones where the bounds ask for it."""
        uri = info.uri
        cost = len(representation.body) + ENTRY_OVERHEAD_BYTES
        forms = self._slots.get(uri)
        if forms is not None and form in forms:
            self._forget(form, forms.pop(form))
            if not forms:
                del self._slots[uri]
                forms = None
        if cost > self.max_bytes:
            return
        if forms is None:
            forms = self._slots[uri] = {}
        forms[form] = _Entry(info, representation, monotonic())
        self._slots.move_to_end(uri)
        self.size_bytes += cost
        self.form_bytes[form] += cost
        while self.size_bytes > self.max_bytes:
            self._evict_oldest(Bound.BYTES)
        while len(self._slots) > self.max_resources:
            self._evict_oldest(Bound.RESOURCES)

    def last_good(self, uri: str, form: Form) -> Representation | None:
        """Return the newest bytes of any version while the resource has not failed for too long."""
        entry = self._slots.get(uri, {}).get(form)
        if entry is None:
            return None
        now_s = monotonic()
        if entry.failing_since_s is None:
            entry.failing_since_s = now_s
        return entry.hit.representation if now_s - entry.failing_since_s <= self._last_good_s else None

    def discard(self, uri: str) -> None:
        """Drop all forms of a URI, its last good content too."""
        for form, entry in self._slots.pop(uri, {}).items():
            self._forget(form, entry)

    def expire(self, uri: str) -> None:
        """Have all forms of a URI loaded again; until they are, they stay as the last good content."""
        for entry in self._slots.get(uri, {}).values():
            entry.loaded_s = -inf

    def infos(self) -> list[ResourceInfo]:
        """Return what is known of every URI held."""
        return [entry.info for forms in self._slots.values() for entry in islice(forms.values(), 1)]

    def limit_ttl(self, limit_s: float = inf) -> None:
        """Have entries loaded again from this age, in seconds, where the TTL is longer."""
        self._ttl_s = min(self._longest_ttl_s, limit_s)

    def clear(self) -> None:
        """Drop everything."""
        self._slots.clear()
        self.size_bytes = 0
        self.form_bytes.clear()

    def _evict_oldest(self, bound: Bound) -> None:
        _, forms = self._slots.popitem(last=False)
        self.evictions[bound] += 1
        for form, entry in forms.items():
            self._forget(form, entry)

    def _forget(self, form: Form, entry: _Entry) -> None:
        cost = _cost(entry)
        self.size_bytes -= cost
        self.form_bytes[form] -= cost


def _cost(entry: _Entry) -> int:
    return len(entry.hit.representation.body) + ENTRY_OVERHEAD_BYTES
