"""Match text against patterns with wildcards, in a time that no pattern and no text can make explode. Pure.

A backtracking engine may take n^k steps for k wildcards. Patterns for which it takes no more than n go to the
engine, as it is fast; all others are matched with one pass over sets of positions. Either way a wildcard gets
the longest text that lets the rest match, from left to right.

Used for the file patterns of rules and for URI templates. A text must have no empty segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_WILDCARDS = 32
"""Of one pattern; each costs a look at the text, and a path has no more parts than that."""

MAX_TEXT = 8192
"""Characters of a text; a longer one does not match. Twice what Linux takes as a path (PATH_MAX)."""


class Wildcard(NamedTuple):
    """A part of a pattern that stands for any text."""

    name: str | None = None
    """Under which its text is returned."""
    crosses: bool = False
    """Whether the text may hold slashes."""
    min_length: int = 0


class Directories(NamedTuple):
    """A part of a pattern that stands for any number of whole segments, each with its slash."""


Token = str | Wildcard | Directories

DIRECTORIES = Directories()


def named(name: str, *, is_rest: bool) -> Wildcard:
    """Return what `{name}` stands for: text without a slash; or `{+name}`: any text. Neither may be empty."""
    return Wildcard(name, is_rest, 1)


class Glob:
    """A pattern.

    Args:
        tokens: Its parts, in order; strings stand for themselves.

    Raises:
        ValueError: It has too many wildcards, or two of one name.
    """

    __slots__ = ("_engine", "_tokens", "names")

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = _without_repetition(tokens)
        wildcards = [token for token in self._tokens if not isinstance(token, str)]
        if len(wildcards) > MAX_WILDCARDS:
            raise ValueError(f"has {len(wildcards)} wildcards; at most {MAX_WILDCARDS} are matched")
        names = [token.name for token in wildcards if isinstance(token, Wildcard) and token.name]
        if len(set(names)) != len(names):
            raise ValueError("names a variable twice")
        self.names = tuple(names)
        self._engine = _compiled(self._tokens) if _is_cheap(self._tokens) else None

    def match(self, text: str) -> dict[str, str] | None:
        """Return the texts of the named wildcards, or None when the pattern does not match all of a text."""
        if self._engine is not None:
            found = self._engine.fullmatch(text)
            return None if found is None else found.groupdict()
        if len(text) > MAX_TEXT or not self._may_match(text):
            return None
        return _Positions(text).match(self._tokens)

    def _may_match(self, text: str) -> bool:
        """Compare both ends first: most files are in another directory, or of another kind."""
        first, last = self._tokens[0], self._tokens[-1]
        return not (
            (isinstance(first, str) and not text.startswith(first))
            or (isinstance(last, str) and not text.endswith(last))
        )


_REPEATABLE = (Wildcard(), Wildcard(crosses=True), DIRECTORIES)


def _without_repetition(tokens: Iterable[Token]) -> tuple[Token, ...]:
    """Leave out what adds nothing: empty text, and a nameless wildcard behind one that matches as much."""
    kept: list[Token] = []
    for token in tokens:
        before = kept[-1] if kept else None
        if token == "" or (token == before and token in _REPEATABLE):
            continue
        if isinstance(token, str) and isinstance(before, str):
            kept[-1] = before + token
        else:
            kept.append(token)
    return tuple(kept)


def _is_cheap(tokens: Sequence[Token]) -> bool:
    """Tell whether the engine's time grows with the text only.

    With one wildcard between two slashes of the pattern it has nothing to try twice; of those that cross
    slashes there may be one, as with two it would try all pairs of places.
    """
    crossing = in_segment = 0
    for token in tokens:
        if isinstance(token, str):
            if "/" in token:
                in_segment = 0
            continue
        crosses = isinstance(token, Directories) or token.crosses
        crossing += crosses
        in_segment += 1
        if crossing > 1 or in_segment > 1:
            return False
        if isinstance(token, Directories):
            # It ends with a slash.
            in_segment = 0
    return True


def _compiled(tokens: Iterable[Token]) -> re.Pattern[str]:
    return re.compile("".join(map(_expression, tokens)), re.DOTALL)


def _expression(token: Token) -> str:
    if isinstance(token, str):
        return re.escape(token)
    if isinstance(token, Directories):
        return "(?:[^/]+/)*"
    text = ("." if token.crosses else "[^/]") + ("+" if token.min_length else "*")
    return f"(?P<{token.name}>{text})" if token.name else text


class _Positions:
    """Matches one text.

    A set of positions is a number whose bit r stands for the place that has r characters behind it, so that
    one operation moves all places of a set, and the carry of an addition runs through a whole segment.
    """

    __slots__ = ("_all", "_behind_slash", "_in_segment", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        size = len(text)
        self._all = (1 << (size + 1)) - 1
        slashes = 0
        at = text.find("/")
        while at >= 0:
            slashes |= 1 << (size - at)
            at = text.find("/", at + 1)
        # Places before a character that is no slash: all but the end, which is bit 0.
        self._in_segment = self._all & ~slashes & ~1
        self._behind_slash = slashes >> 1

    def match(self, tokens: Sequence[Token]) -> dict[str, str] | None:
        """Return the texts of named wildcards, or None."""
        # From the end: the places from which the rest of the pattern matches the rest of the text.
        places = [1]
        for token in reversed(tokens):
            places.append(self._before(token, places[-1]))
            if not places[-1]:
                return None
        places.reverse()
        size = len(self._text)
        if not places[0] >> size & 1:
            return None
        # From the start: of the places where a wildcard may end, the last is the longest text.
        found: dict[str, str] = {}
        left = size
        for token, ends in zip(tokens, places[1:], strict=True):
            end = self._end(token, left, ends)
            if isinstance(token, Wildcard) and token.name:
                found[token.name] = self._text[size - left : size - end]
            left = end
        return found

    def _before(self, token: Token, ends: int) -> int:
        """Return the places from which a token reaches one of some places."""
        if isinstance(token, str):
            return (ends << len(token)) & self._occurrences(token)
        if isinstance(token, Directories):
            last = _lowest(ends & self._behind_slash)
            return ends if last is None else ends | (self._in_segment >> (last + 1) << (last + 1))
        if token.crosses:
            last = _lowest(ends)
            assert last is not None
            return self._all >> (last + token.min_length) << (last + token.min_length)
        starts = (ends << 1) & self._in_segment
        # The carry runs from each start to the slash before its segment, and flips what it passes.
        reached = (((starts + self._in_segment) ^ self._in_segment) | starts) & self._in_segment
        return reached if token.min_length else reached | ends

    def _end(self, token: Token, left: int, ends: int) -> int:
        """Return where a token ends at the latest, from a place that is known to reach one of some places."""
        if isinstance(token, str):
            return left - len(token)
        if isinstance(token, Directories):
            last = _lowest(ends & self._behind_slash)
            return left if last is None or last >= left or not self._in_segment >> left & 1 else last
        limit = 0
        if not token.crosses:
            size = len(self._text)
            slash = self._text.find("/", size - left)
            limit = 0 if slash < 0 else size - slash
        last = _lowest(ends >> limit)
        assert last is not None
        return last + limit

    def _occurrences(self, literal: str) -> int:
        size, found = len(self._text), 0
        at = self._text.find(literal)
        while at >= 0:
            found |= 1 << (size - at)
            at = self._text.find(literal, at + 1)
        return found


def _lowest(bits: int) -> int | None:
    """Return the number of the lowest bit, which is the last place; None for no places."""
    return (bits & -bits).bit_length() - 1 if bits else None
