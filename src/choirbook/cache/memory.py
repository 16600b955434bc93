"""In-process cache: representations of the most recently read resources.

Bounded in resources and in bytes, keys included. Look-ups are synchronous. Used on the event loop only, so it
needs no lock. Times come from the monotonic clock: a jump of the wall clock neither expires everything nor
makes an entry immortal.
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
"""Bytes charged for each entry beside its body: headers, strings, dictionary slots, measured generously."""

JITTER = 0.1
"""Maximum fraction of the TTL by which entries expire early, at random: resources that were loaded together,
as by a load test or a preload, are not reloaded together."""


class Bound(StrEnum):
    """Limit whose excess evicts URIs: a closed set, as it becomes a label."""

    RESOURCES = "resources"
    BYTES = "bytes"


class _Entry:
    __slots__ = ("hit", "info", "loaded_s")

    def __init__(self, info: ResourceInfo, representation: Representation, loaded_s: float) -> None:
        self.info = info
        self.hit = Reading(info, representation, ServedFrom.HIT)
        self.loaded_s = loaded_s


class CachedForms(NamedTuple):
    """Forms of a URI in memory, all of the same version."""

    info: ResourceInfo
    forms: Mapping[Form, Representation]


class MemoryCache:
    """Least-recently-used cache of representations by (URI, version, form).

    The version is part of the info, and the complete info is compared: new rules that change a document's
    type or title make its old forms unreachable, as a new version does. All forms of a URI share one info:
    the first form of a new info replaces the old forms. Until then `get` never returns the old ones, but they
    stay available as last good content. So no reader who received a version gets an older one later,
    whichever form it requests.

    Args:
        max_resources: Maximum number of URIs.
        max_bytes: Maximum size of bodies plus `ENTRY_OVERHEAD_BYTES` each.
        ttl_s: Age from which an entry is reloaded, in seconds, less `JITTER`.
        last_good_s: Time for which `last_good` serves a failing resource, in seconds.
        grace_s: Time after its TTL for which `expired` returns an entry, in seconds.
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
        """Monotonic time of the first failure, for URIs whose last load failed."""
        self.size_bytes = 0
        """Bytes charged at present."""
        self.form_bytes: Counter[Form] = Counter()
        """Bytes charged at present, by form."""
        self.evictions: Counter[Bound] = Counter()
        """URIs evicted to stay within the limits, since the start."""

    def __len__(self) -> int:
        """Return the number of URIs held."""
        return len(self._slots)

    def get(self, info: ResourceInfo, form: Form, now_s: float) -> Reading | None:
        """Return the reading of exactly this key, unless its bytes are older than the TTL.

        Args:
            info: Present catalog entry of the resource.
            form: Form of the key.
            now_s: Monotonic time; the caller reads the clock anyway.
        """
        uri = info.uri
        try:
            entry = self._slots[uri][form]
        except KeyError:
            return None
        if now_s - entry.loaded_s > self._ttl_s:
            return None
        # Nearly always it is the same object, and the members need not be compared.
        if entry.info is not info and entry.info != info:
            return None
        self._slots.move_to_end(uri)
        return entry.hit

    def expired(self, info: ResourceInfo, form: Form) -> Reading | None:
        """Return the reading of exactly this key if it is merely too old, and not by much.

        Excludes entries invalidated by `expire` and those that fail to load, and returns nothing while a
        limit shorter than the TTL applies: then age is the only sign of a change.
        """
        entry = self._slots.get(info.uri, {}).get(form)
        if entry is None or entry.info != info or entry.loaded_s == -inf:
            return None
        if self._ttl_s < self._longest_ttl_s or info.uri in self._failing_since_s:
            return None
        is_late = monotonic() - entry.loaded_s > self._ttl_s + self._grace_s
        return None if is_late else entry.hit

    def holds(self, info: ResourceInfo, form: Form, now_s: float) -> bool:
        """Return whether `get` would return a reading; does not count as a use of the entry."""
        entry = self._slots.get(info.uri, {}).get(form)
        return entry is not None and now_s - entry.loaded_s <= self._ttl_s and entry.info == info

    def has_room(self, uri: str, forms: Iterable[Form], body_bytes: int) -> bool:
        """Return whether forms of a URI fit without evicting another one.

        Args:
            uri: URI of the forms; its present entries would be replaced.
            forms: Forms to be stored.
            body_bytes: Size of each form's body.
        """
        held = self._slots.get(uri)
        size_bytes = self.size_bytes
        for form in forms:
            size_bytes += body_bytes + ENTRY_OVERHEAD_BYTES
            if held is not None and form in held:
                size_bytes -= _cost(held[form].hit.representation)
        return (held is not None or len(self._slots) < self.max_resources) and size_bytes <= self.max_bytes

    def put(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Store bytes that were loaded just now.

        Forms of another info are dropped, then the least recently used URIs as far as the limits require.
        """
        self._failing_since_s.pop(info.uri, None)
        self._put(info, form, representation, monotonic() - self._ttl_s * JITTER * random())  # noqa: S311

    def put_questioned(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Store bytes as last good content only, if nothing is held of this info."""
        if not self._is_held(info):
            self._put(info, form, representation, -inf)

    def put_derived(self, info: ResourceInfo, form: Form, representation: Representation) -> None:
        """Store a form that was made from the others, with the remaining lifetime of the youngest."""
        if self._is_held(info):
            loaded_s = max(entry.loaded_s for entry in self._slots[info.uri].values())
            self._put(info, form, representation, loaded_s)

    def young(self, info: ResourceInfo) -> CachedForms | None:
        """Return the forms held of exactly this info, if some of them could be hits."""
        if not self._is_held(info):
            return None
        oldest_s = monotonic() - self._ttl_s
        forms = self._slots[info.uri]
        return _kept(forms) if any(entry.loaded_s >= oldest_s for entry in forms.values()) else None

    def last_good(self, uri: str) -> CachedForms | None:
        """Return the forms held of a URI, of any version, unless it has been failing for too long."""
        forms = self._slots.get(uri)
        if forms is None:
            return None
        self.fail(uri)
        is_good = monotonic() - self._failing_since_s[uri] <= self._last_good_s
        return _kept(forms) if is_good else None

    def fail(self, uri: str) -> None:
        """Record that a URI could not be loaded."""
        if uri in self._slots:
            self._failing_since_s.setdefault(uri, monotonic())

    def discard(self, uri: str) -> None:
        """Drop all forms of a URI, including its last good content."""
        self._forget(uri, self._slots.pop(uri, {}))

    def expire(self, uri: str) -> None:
        """Mark all forms of a URI for reloading; until then they stay available as last good content."""
        for entry in self._slots.get(uri, {}).values():
            entry.loaded_s = -inf

    def infos(self) -> list[ResourceInfo]:
        """Return the infos of all URIs held."""
        return [_info(forms) for forms in self._slots.values()]

    def info(self, uri: str) -> ResourceInfo | None:
        """Return the info of the forms held of a URI."""
        forms = self._slots.get(uri)
        return None if forms is None else _info(forms)

    def holdings(self, limit: int) -> list[tuple[str, int, int]]:
        """Return the number of forms and the bytes charged of the URIs used most recently."""
        return [
            (uri, len(forms), sum(_cost(entry.hit.representation) for entry in forms.values()))
            for uri, forms in islice(reversed(self._slots.items()), limit)
        ]

    def limit_ttl(self, limit_s: float = inf) -> None:
        """Reload entries from this age on, in seconds, if the TTL is longer."""
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


def _kept(forms: dict[Form, _Entry]) -> CachedForms:
    return CachedForms(_info(forms), {form: entry.hit.representation for form, entry in forms.items()})


def _info(forms: dict[Form, _Entry]) -> ResourceInfo:
    return next(iter(forms.values())).info


def _cost(representation: Representation) -> int:
    return len(representation.body) + ENTRY_OVERHEAD_BYTES
