"""Values of a template's variables over a set of URIs, sorted, for completion by prefix.

Pure. Built again for each generation of a catalog, on a worker thread: it looks at every URI.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from choirbook.text.suggestions import MAX_COMPARED, closest
from choirbook.uri import UriTemplate

_LAST = "\U0010ffff"


class CompletionMatches(msgspec.Struct, frozen=True):
    """Values that match the typed text, the best first."""

    values: tuple[str, ...]
    total: int | None
    """Number of matches; None if they were not counted."""


class VariableValues:
    """Distinct values of one variable, sorted without regard to case.

    Args:
        values: In any order; duplicates count once.
    """

    def __init__(self, values: Iterable[str]) -> None:
        pairs = sorted((value.casefold(), value) for value in set(values))
        self._folded = [folded for folded, _ in pairs]
        self._values = [value for _, value in pairs]

    def starting_with(self, typed: str, limit: int) -> CompletionMatches:
        """Return the values with a prefix, found by two bisections."""
        folded = typed.casefold()
        start = bisect_left(self._folded, folded)
        end = bisect_left(self._folded, folded + _LAST) if folded else len(self._folded)
        return CompletionMatches(tuple(self._values[start : min(end, start + limit)]), end - start)

    def like(self, typed: str, limit: int) -> CompletionMatches:
        """Return the values that contain a text, or else those with a similar spelling.

        Looks at every value, so it must run on a thread.
        """
        folded = typed.casefold()
        containing = (value for value, each in zip(self._values, self._folded, strict=True) if folded in each)
        found = tuple(islice(containing, limit + 1))
        if found:
            return CompletionMatches(found[:limit], None if len(found) > limit else len(found))
        return self._nearest(folded, limit)

    def _nearest(self, folded: str, limit: int) -> CompletionMatches:
        start = max(0, bisect_left(self._folded, folded) - MAX_COMPARED // 2)
        near = closest(folded, self._folded[start : start + MAX_COMPARED], limit)
        values = tuple(self._values[start + index] for index in near)
        return CompletionMatches(values, len(values))


class CompletionCandidates:
    """Values that the URIs of a catalog have for the variables of one template.

    Args:
        template: Names the variables.
        uris: Canonical URIs; those that the template does not match are ignored.
    """

    def __init__(self, template: UriTemplate, uris: Iterable[str]) -> None:
        self.variables = template.variables
        found = (template.match(uri) for uri in uris)
        self._rows: list[tuple[str, ...]] = [tuple(row.values()) for row in found if row is not None]
        self._with: list[defaultdict[str, list[int]]] = [defaultdict(list) for _ in self.variables]
        for number, row in enumerate(self._rows):
            for postings, value in zip(self._with, row, strict=True):
                postings[value].append(number)

    def values(self, variable: str, others: Mapping[str, str]) -> VariableValues:
        """Return the values of a variable for given values of other variables.

        Args:
            variable: A variable of the template.
            others: Values by variable.
        """
        column = self.variables.index(variable)
        if not others:
            return VariableValues(self._with[column])
        wanted = [(self.variables.index(name), value) for name, value in others.items()]
        # The rarest value leaves the fewest rows to look at.
        rows: Sequence[int] = min((self._with[at].get(value, ()) for at, value in wanted), key=len)
        fitting = (self._rows[row] for row in rows)
        return VariableValues(row[column] for row in fitting if all(row[at] == value for at, value in wanted))
