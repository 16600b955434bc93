"""Matching of text against patterns with wildcards, in bounded time whatever the pattern and text. Pure.

A backtracking engine may take n^k steps for k wildcards. Patterns for which it takes at most n steps are
passed to the engine, as it is fast; all others are matched in one pass over sets of positions. Either way a
wildcard matches the longest text that lets the rest match, from left to right.

Used for the file patterns of rules and for URI templates. A text must have no empty segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_WILDCARDS = 32
"""Maximum number of wildcards in one pattern; each costs a pass over the text."""

MAX_TEXT = 8192
"""Maximum length of a text in characters; a longer one does not match. Twice the path limit of Linux
(PATH_MAX)."""


class Wildcard(NamedTuple):
    """A part of a pattern that matches any text."""

    name: str | None = None
    """Name under which the matched text is returned."""
    crosses: bool = False
    """Whether the text may hold slashes."""
    min_length: int = 0


class Directories(NamedTuple):
    """A part of a pattern that stands for any number of whole segments, each with its slash."""


Token = str | Wildcard | Directories

DIRECTORIES = Directories()


def named(name: str, *, is_rest: bool) -> Wildcard:
    """Return the wildcard of `{name}`: text without a slash; or `{+name}`: any text. Neither is empty."""
    return Wildcard(name, is_rest, 1)


class Glob:
    """A pattern with wildcards.

    Args:
        tokens: Parts of the pattern, in order; strings match literally.

    Raises:
        ValueError: The pattern has too many wildcards, or two with the same name.
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
        """Return the texts of the named wildcards, or None if the pattern does not match a whole text."""
        if self._engine is not None:
            found = self._engine.fullmatch(text)
            return None if found is None else found.groupdict()
        if len(text) > MAX_TEXT or not self._may_match(text):
            return None
        return _Positions(text).match(self._tokens)

    def _may_match(self, text: str) -> bool:
        """Compare both ends first: most files are in another directory, or of another type."""
        first, last = self._tokens[0], self._tokens[-1]
        return not (
            (isinstance(first, str) and not text.startswith(first))
            or (isinstance(last, str) and not text.endswith(last))
        )


_REPEATABLE = (Wildcard(), Wildcard(crosses=True), DIRECTORIES)


def _without_repetition(tokens: Iterable[Token]) -> tuple[Token, ...]:
    """Remove redundant tokens: empty text, and a nameless wildcard after one that matches as much."""
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
    """Return whether the engine's time is linear in the length of the text.

    With one wildcard between two slashes of the pattern there is nothing to try twice; at most one wildcard
    may cross slashes, as with two the engine would try all pairs of places.
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
            # This token ends with a slash.
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
    """Matcher of one text by sets of positions.

    A set of positions is an integer whose bit r stands for the place with r characters after it. One
    operation moves all places of a set, and the carry of an addition runs through a whole segment.
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
        # Places before a character other than a slash: all but the end, which is bit 0.
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
        # From the start: the last of the places where a wildcard may end gives the longest text.
        found: dict[str, str] = {}
        left = size
        for token, ends in zip(tokens, places[1:], strict=True):
            end = self._end(token, left, ends)
            if isinstance(token, Wildcard) and token.name:
                found[token.name] = self._text[size - left : size - end]
            left = end
        return found

    def _before(self, token: Token, ends: int) -> int:
        """Return the places from which a token can reach one of the given ends."""
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
        """Return the last place where a token may end, from a place known to reach one of the ends."""
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
    """Return the number of the lowest bit, which is the last place; None if there is none."""
    return (bits & -bits).bit_length() - 1 if bits else None
