"""The in-process level: representations of the most recently read resources.

Bounded in resources and in bytes, keys counted. Look-ups are synchronous. Used on the event loop
only, so it needs no lock. Times come from the monotonic clock: a jump of the wall clock neither
expires everything nor makes an entry immortal.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice
from math import inf
from random import random
from time import monotonic
from typing import NamedTuple

from choirbook.model import Form, Reading, Representation, ResourceInfo, ServedFrom

ENTRY_OVERHEAD_BYTES = 1024
"""Charged for each entry beside its body: headers, strings, dictionary slots, measured generously."""

JITTER = 0.1
"""Part of the TTL by which entries expire before it, at random: what was loaded together, as by a load test
or a preload, is not loaded again together."""


class Bound(StrEnum):
    """What is not to be exceeded, and has URIs put out: a closed set, as it becomes a label."""

    RESOURCES = "resources"
    BYTES = "bytes"


class _Entry:
    __slots__ = ("hit", "info", "loaded_s")

    def __init__(self, info: ResourceInfo, representation: Representation, loaded_s: float) -> None:
        self.info = info
        self.hit = Reading(info, representation, ServedFrom.HIT)
        self.loaded_s = loaded_s


class Kept(NamedTuple):
    """What memory holds of a URI: forms of one and the same version."""

    info: ResourceInfo
    forms: Mapping[Form, Representation]


class MemoryCache:
    """Least-recently-used cache of representations by (URI, version, form).

    The version is part of the info, and all of the info counts: new rules that give a document another type
    or title make its old forms unreachable, as a new version does. The forms of a URI are of one info: the
    first form of a new one puts the old forms out. Until then these are never returned by `get`, and stay
    as the last good content. So no reader who was given a version is given an older one later, whichever
    form it asks for.

    Args:
        max_resources: URIs at most.
        max_bytes: Bodies plus `ENTRY_OVERHEAD_BYTES` each, at most.
        ttl_s: Age from which an entry is loaded again, in seconds, less `JITTER`.
        last_good_s: For how long a failing resource is served by `last_good`, in seconds.
        grace_s: For how long after its TTL an entry is returned by `expired`, in seconds.
    """

    def __init__(
        self,
        max_resources: int,
        max_bytes: int,
        ttl_s: float,
        last_good_s: float,
        grace_s: float = 0.0,
    ) -> None:
        self.max_resources = max_resources
        self.max_bytes = max_bytes
        self._longest_ttl_s = self._ttl_s = ttl_s
        self._last_good_s = last_good_s
        self._grace_s = grace_s
        self._slots: OrderedDict[str, dict[Form, _Entry]] = OrderedDict()
        self._failing_since_s: dict[str, float] = {}
        """Of the URIs held whose last load failed."""
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
        uri = info.uri
        try:
            entry = self._slots[uri][form]
        except KeyError:
            return None
        if now_s - entry.loaded_s > self._ttl_s:
            return None
        # Nearly always it is the very same object, and comparing members can be spared.
        if entry.info is not info and entry.info != info:
            return None
        self._slots.move_to_end(uri)
        return entry.hit

    def expired(self, info: ResourceInfo, form: Form) -> Reading | None:
        """Return the reading of exactly this key, where only its age speaks against it, and not by much.

        Not what was called into question by `expire`, nor what fails to load, and nothing while a limit
        that is shorter than the TTL holds: then age is all that is known.
        """
        entry = self._slots.get(info.uri, {}).get(form)
        if entry is None or entry.info != info or entry.loaded_s == -inf:
            return None
        if self._ttl_s < self._longest_ttl_s or info.uri in self._failing_since_s:
            return None
        is_late = monotonic() - entry.loaded_s > self._ttl_s + self._grace_s
        return None if is_late else entry.hit

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
                size_bytes -= _cost(held[form].hit.representation)
        return (held is not None or len(self._slots) < self.max_resources) and size_bytes <= self.max_bytes

    def put(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Keep bytes that were loaded just now.

        Forms of another info go, then the least recently used URIs where the bounds ask for it.
        """
        self._failing_since_s.pop(info.uri, None)
        self._put(info, form, representation, monotonic() - self._ttl_s * JITTER * random())  # noqa: S311

    def put_questioned(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Keep bytes as the last good content only, where nothing is held of this info."""
        if not self._is_held(info):
            self._put(info, form, representation, -inf)

    def put_derived(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Keep a form that was made of the others, for as long as the youngest of these is good."""
        if self._is_held(info):
            loaded_s = max(entry.loaded_s for entry in self._slots[info.uri].values())
            self._put(info, form, representation, loaded_s)

    def young(self, info: ResourceInfo) -> Kept | None:
        """Return what is held of exactly this info, where some of it could be a hit."""
        if not self._is_held(info):
            return None
        oldest_s = monotonic() - self._ttl_s
        forms = self._slots[info.uri]
        return _kept(forms) if any(entry.loaded_s >= oldest_s for entry in forms.values()) else None

    def last_good(self, uri: str) -> Kept | None:
        """Return what is held of a URI, of any version, while it has not failed for too long."""
        forms = self._slots.get(uri)
        if forms is None:
            return None
        self.fail(uri)
        is_good = monotonic() - self._failing_since_s[uri] <= self._last_good_s
        return _kept(forms) if is_good else None

    def fail(self, uri: str) -> None:
        """Take note that a URI could not be loaded."""
        if uri in self._slots:
            self._failing_since_s.setdefault(uri, monotonic())

    def discard(self, uri: str) -> None:
        """Drop all forms of a URI, its last good content too."""
        self._forget(uri, self._slots.pop(uri, {}))

    def expire(self, uri: str) -> None:
        """Have all forms of a URI loaded again; until they are, they stay as the last good content."""
        for entry in self._slots.get(uri, {}).values():
            entry.loaded_s = -inf

    def infos(self) -> list[ResourceInfo]:
        """Return what is known of every URI held."""
        return [_info(forms) for forms in self._slots.values()]

    def info(self, uri: str) -> ResourceInfo | None:
        """Return what the forms held of a URI are of."""
        forms = self._slots.get(uri)
        return None if forms is None else _info(forms)

    def holdings(self, limit: int) -> list[tuple[str, int, int]]:
        """Return of the URIs used last each, how many forms are held, and the bytes charged for them."""
        return [
            (uri, len(forms), sum(_cost(entry.hit.representation) for entry in forms.values()))
            for uri, forms in islice(reversed(self._slots.items()), limit)
        ]

    def limit_ttl(self, limit_s: float = inf) -> None:
        """Have entries loaded again from this age, in seconds, where the TTL is longer."""
        self._ttl_s = min(self._longest_ttl_s, limit_s)

    def clear(self) -> None:
        """Drop everything."""
        self._slots.clear()
        self._failing_since_s.clear()
        self.size_bytes = 0
        self.form_bytes.clear()

    def _is_held(self, info: ResourceInfo) -> bool:
        forms = self._slots.get(info.uri)
        return forms is not None and _info(forms) == info

    def _put(self, info: ResourceInfo, form: Form, representation: Representation, loaded_s: float) -> None:
        uri = info.uri
        forms = self._slots.setdefault(uri, {})
        if forms and _info(forms) != info:
            self._drop(forms)
        if form in forms:
            self._charge(form, -_cost(forms.pop(form).hit.representation))
        cost = _cost(representation)
        if cost <= self.max_bytes:
            forms[form] = _Entry(info, representation, loaded_s)
            self._slots.move_to_end(uri)
            self._charge(form, cost)
        if not forms:
            self.discard(uri)
        while self.size_bytes > self.max_bytes:
            self._evict_oldest(Bound.BYTES)
        while len(self._slots) > self.max_resources:
            self._evict_oldest(Bound.RESOURCES)

    def _evict_oldest(self, bound: Bound) -> None:
        uri, forms = self._slots.popitem(last=False)
        self.evictions[bound] += 1
        self._forget(uri, forms)

    def _charge(self, form: Form, cost: int) -> None:
        self.size_bytes += cost
        self.form_bytes[form] += cost

    def _drop(self, forms: dict[Form, _Entry]) -> None:
        for form, entry in forms.items():
            self._charge(form, -_cost(entry.hit.representation))
        forms.clear()

    def _forget(self, uri: str, forms: dict[Form, _Entry]) -> None:
        self._drop(forms)
        self._failing_since_s.pop(uri, None)


def _kept(forms: dict[Form, _Entry]) -> Kept:
    return Kept(_info(forms), {form: entry.hit.representation for form, entry in forms.items()})


def _info(forms: dict[Form, _Entry]) -> ResourceInfo:
    return next(iter(forms.values())).info


def _cost(representation: Representation) -> int:
    return len(representation.body) + ENTRY_OVERHEAD_BYTES
