"""Suggestions for a name that does not exist ("Did you mean"). Pure.

Used for URIs of the catalog, for values of completion and for names of settings. Names are compared without
regard to case, and URIs by the segments in which they differ: a common prefix means nothing. The cost of a
suggestion is bounded, whatever the number of names: of a long list only those parts are searched in which a
misspelt name would be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from urllib.parse import unquote

MAX_COMPARED = 2000
"""Maximum number of names compared for one suggestion: about a millisecond."""

_MAX_EDITS = 16
"""Maximum edits between complete URIs; a directory or an extension may be missing."""

_CLOSEST = 32
"""Number of URIs to compare more closely."""

_LETTERS_PER_EDIT = 3
"""Letters for which one edit is allowed: one in a name of three to five letters, two from six; a shorter name
never matches."""

_MISSING_SEGMENT = 75
_OTHER_EXTENSION = 10

_BEAM = 3
"""Number of directories tried for a misspelt one."""

_MAX_DIRECTORIES = 200
_NEAR = 8
_LAST = "\U0010ffff"

_suggesting: ContextVar[bool] = ContextVar("suggesting", default=True)


@contextmanager
def without_suggestions() -> Iterator[None]:
    """Disable suggestions inside this context: one request may hold many wrong names."""
    token = _suggesting.set(False)
    try:
        yield
    finally:
        _suggesting.reset(token)


def closest(name: str, candidates: Sequence[str], limit: int) -> list[int]:
    """Return the indexes of the names that differ from one by spelling mistakes, the closest first.

    Args:
        name: In lower case.
        candidates: In lower case; at most `MAX_COMPARED` are compared.
        limit: Maximum number of names.
    """
    # Slow to import, and most names exist.
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    cutoff = max(1, 2 * len(name) // _LETTERS_PER_EDIT)
    found = process.extract(
        name, candidates[:MAX_COMPARED], scorer=OSA.distance, limit=None, score_cutoff=cutoff
    )
    near = [(edits, index) for candidate, edits, index in found if _is_close(int(edits), name, candidate)]
    return [index for _, index in sorted(near)[:limit]]


def similar_name(name: str, known: Collection[str]) -> str | None:
    """Return the name of a few that was probably meant, or None where none is close.

    That is a name spelt nearly alike, in any case; otherwise one that has the same words and more at its end,
    or fewer: `redis` for `redis_url`, `metrics_port` for `metrics`.
    """
    folded, ordered = name.lower(), sorted(known)
    lowered = [each.lower() for each in ordered]
    for index in closest(folded, lowered, 1):
        return ordered[index]
    related = [
        (abs(len(each) - len(folded)), index)
        for index, each in enumerate(lowered)
        if each.startswith(f"{folded}_") or folded.startswith(f"{each}_")
    ]
    return ordered[min(related)[1]] if related else None


def similar_uris(uri: str, ordered: Sequence[str], limit: int = 3) -> tuple[str, ...]:
    """Return the URIs most similar to one that does not exist, the most similar first.

    Args:
        uri: Canonical.
        ordered: Canonical URIs, sorted.
        limit: Maximum number of URIs.
    """
    if not _suggesting.get():
        return ()
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    candidates = (
        ordered if len(ordered) <= MAX_COMPARED else list(islice(_around(uri, ordered), MAX_COMPARED))
    )
    asked = _folded(uri)
    folded = [_folded(candidate) for candidate in candidates]
    # A common prefix adds no edits, so complete URIs can be compared to find the few that matter.
    found = process.extract(asked, folded, scorer=OSA.distance, limit=_CLOSEST, score_cutoff=_MAX_EDITS)
    scored = [(-_likeness(asked, candidate), candidates[index]) for candidate, _, index in found]
    return tuple(candidate for score, candidate in sorted(scored)[:limit] if score)


def _folded(uri: str) -> str:
    return unquote(uri).casefold() if "%" in uri else uri.lower()


def _is_close(edits: int, first: str, second: str) -> bool:
    return edits <= max(len(first), len(second)) // _LETTERS_PER_EDIT


def _likeness(asked: str, candidate: str) -> float:
    """Return the similarity of two URIs, up to 100; 0 if there is none."""
    first, second = asked.split("/"), candidate.split("/")
    while first and second and first[0] == second[0]:
        del first[0], second[0]
    has_same_name = False
    while first and second and first[-1] == second[-1]:
        del first[-1], second[-1]
        has_same_name = True
    if not first and not second:
        return 100
    if not first or not second:
        return _MISSING_SEGMENT if has_same_name and len(first) + len(second) == 1 else 0
    penalty = 0
    if not has_same_name:
        (first[-1], extension), (second[-1], other) = _stem(first[-1]), _stem(second[-1])
        penalty = 0 if extension == other else _OTHER_EXTENSION
    return max(0, _similarity("/".join(first), "/".join(second)) - penalty)


def _similarity(first: str, second: str) -> float:
    from rapidfuzz.distance import OSA

    edits = OSA.distance(first, second)
    return 100 * (1 - edits / max(len(first), len(second), 1)) if _is_close(edits, first, second) else 0


def _stem(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return (stem, extension) if dot and stem else (name, "")


def _around(uri: str, ordered: Sequence[str]) -> Iterator[str]:
    """Yield the URIs of a long list among which a misspelt one may be, each once."""
    *directories, name = uri.split("/")
    beginnings = _beginnings(directories, ordered)
    places: list[range] = []
    for beginning in beginnings:
        start, end = bisect_left(ordered, beginning), bisect_left(ordered, beginning + _LAST)
        room = MAX_COMPARED // (2 * len(beginnings))
        if end - start <= room:
            places.append(range(start, end))
            continue
        for spelt, near in _spellings(beginning, name, ordered, room // 2):
            at = bisect_left(ordered, spelt, start, end)
            places.append(range(max(start, at - near), min(end, at + near)))
    yield from dict.fromkeys(ordered[index] for place in places for index in place)


def _beginnings(directories: list[str], ordered: Sequence[str]) -> list[str]:
    """Return the prefixes of existing URIs that a misspelt directory may stand for."""
    found = [""]
    for name in directories:
        following = [f"{beginning}{name}/" for beginning in found]
        existing = [each for each in following if _exists(each, ordered)]
        if not existing and name:
            existing = [
                f"{beginning}{names[index]}/"
                for beginning in found
                for names in [_directories(beginning, ordered)]
                for index in closest(name.lower(), [each.lower() for each in names], _BEAM)
            ][:_BEAM]
        if not existing:
            break
        found = existing
    return found


def _exists(beginning: str, ordered: Sequence[str]) -> bool:
    at = bisect_left(ordered, beginning)
    return at < len(ordered) and ordered[at].startswith(beginning)


def _directories(beginning: str, ordered: Sequence[str]) -> list[str]:
    """Return the names of directories directly below a prefix, up to a limit."""
    names: list[str] = []
    at, end = bisect_left(ordered, beginning), bisect_left(ordered, beginning + _LAST)
    for _ in range(_MAX_DIRECTORIES):
        if at >= end:
            break
        name, slash, _rest = ordered[at][len(beginning) :].partition("/")
        if slash:
            names.append(name)
        # Skips everything below a directory at once.
        at = bisect_left(ordered, beginning + name + "/" + _LAST, at, end) if slash else at + 1
    return names


def _spellings(beginning: str, name: str, ordered: Sequence[str], near: int) -> Iterator[tuple[str, int]]:
    """Yield places in a sorted list where a name may be, and how far around to look.

    A mistake after the first letters leaves a name near its place. For one in the first letter, each other
    first letter is tried.
    """
    yield beginning + name, near
    for other in (name.lower(), name.upper(), name.capitalize(), name[1:], name[1:2] + name[:1] + name[2:]):
        yield beginning + other, _NEAR
    at, end = bisect_left(ordered, beginning), bisect_left(ordered, beginning + _LAST)
    while at < end:
        letter = ordered[at][len(beginning) : len(beginning) + 1]
        yield beginning + letter + name[1:], _NEAR
        yield beginning + letter + name, _NEAR
        at = bisect_left(ordered, beginning + letter + _LAST, at, end)
