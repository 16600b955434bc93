"""Matching of paths against one pattern of a `.gitignore`, like git's wildmatch, without backtracking. Pure.

A pattern is compiled once. Matching compares it with a path segment by segment; within a segment the text
between two stars is searched from left to right, each time after the last match. Leftmost matches are enough
for globs, so the cost of one match is at most (bytes of path) x (bytes of pattern), whatever the number of
stars. Patterns and paths are bytes, as in git: `?` is one byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from functools import partial

MAX_PATTERN_BYTES = 1024
"""Maximum length of a pattern in bytes: paths are 4 KiB at most; a longer pattern is a mistake, and each is
compared with every file."""

MAX_STARS = 32
"""Maximum number of stars in one pattern. Real ones have a handful."""

Matcher = Callable[[bytes], bool]

_SPECIAL = frozenset(b"*?[\\")
_STAR, _QUESTION, _OPEN, _ESCAPE, _SLASH = b"*?[\\/"
_CLOSE, _DASH = b"]-"


class InvalidPattern(ValueError):
    """A pattern that can match nothing; the text has the reason."""


class _Wild(Enum):
    """A `**` that is a segment of its own, by the number of path segments that it matches."""

    ANY = "**/"
    """None or more, before another segment."""
    SOME = "**\\/"
    """One or more, before another segment: git requires a directory if the slash is escaped."""
    REST = "**"
    """One or more, at the end."""


_Set = frozenset[int]
"""Bytes that one character of a pattern matches."""

_Piece = tuple[_Set, ...]
"""Characters between two stars."""

_Segment = tuple[_Piece, ...]
"""Pieces between the stars of a segment; one piece if there is no star."""


def literal_length(pattern: bytes) -> int:
    """Return the number of bytes at the front of a pattern that match literally."""
    return next((at for at, byte in enumerate(pattern) if byte in _SPECIAL), len(pattern))


def compile_name(pattern: bytes) -> Matcher:
    """Compile a pattern for names, which have no slash.

    Raises:
        InvalidPattern: It is malformed, or exceeds a limit.
    """
    _check_bounds(pattern)
    length = literal_length(pattern)
    if length == len(pattern):
        return pattern.__eq__
    rest = pattern[1:]
    if pattern[0] == _STAR and literal_length(rest) == len(rest):
        return lambda name: name.endswith(rest)
    segments = _parse(pattern)
    matchers = [_compile_segment(each) for each in segments if not isinstance(each, _Wild)]
    return matchers[0] if matchers else _match_all


def compile_path(pattern: bytes) -> Matcher:
    """Compile a pattern for paths relative to the directory of its file.

    Args:
        pattern: Without the slash that may begin it.

    Raises:
        InvalidPattern: It is malformed, or exceeds a limit.
    """
    _check_bounds(pattern)
    length = literal_length(pattern)
    prefix, rest = pattern[:length], pattern[length:]
    if not rest:
        return prefix.__eq__
    # As in git, what follows the literal prefix is a pattern of its own: `a**/b` matches `axy/b` and `ab`,
    # even though the stars are not a whole segment.
    segments = [each if isinstance(each, _Wild) else _compile_segment(each) for each in _parse(rest)]
    return partial(_match_path, prefix, segments)


def _match_all(_: bytes) -> bool:
    return True


def _check_bounds(pattern: bytes) -> None:
    if len(pattern) > MAX_PATTERN_BYTES:
        raise InvalidPattern(f"the pattern is longer than {MAX_PATTERN_BYTES} bytes")
    if pattern.count(b"*") > MAX_STARS:
        raise InvalidPattern(f"the pattern has more than {MAX_STARS} stars")


def _match_path(prefix: bytes, pattern: list[Matcher | _Wild], path: bytes) -> bool:
    if not path.startswith(prefix):
        return False
    return _match_segments(pattern, path[len(prefix) :].split(b"/"))


def _match_segments(pattern: list[Matcher | _Wild], path: list[bytes]) -> bool:
    """Match segments; only the last `**` seen is ever tried again, one segment further on."""
    at = seen = 0
    again: tuple[int, int] | None = None
    while True:
        if at == len(pattern):
            if seen == len(path):
                return True
        else:
            part = pattern[at]
            if isinstance(part, _Wild):
                if part is _Wild.REST:
                    # There is always a segment left: a split has at least one.
                    if seen < len(path):
                        return True
                else:
                    seen += part is _Wild.SOME
                    at += 1
                    again = at, seen
                    if seen < len(path):
                        continue
            elif seen < len(path) and part(path[seen]):
                at, seen = at + 1, seen + 1
                continue
        if again is None or again[1] >= len(path):
            return False
        at, seen = again[0], again[1] + 1
        again = at, seen


def _compile_segment(segment: _Segment) -> Matcher:
    """Compile the test of one segment: its first and last piece are anchored, those between are searched."""
    if len(segment) == 1:
        only = _compile_piece(segment[0]).fullmatch
        return lambda name: only(name) is not None
    first, last = segment[0], segment[-1]
    starts, ends = _compile_piece(first).match, _compile_piece(last).match
    between = [_compile_piece(piece).search for piece in segment[1:-1] if piece]
    head, tail = len(first), len(last)

    def matches(name: bytes) -> bool:
        end = len(name) - tail
        if end < head or starts(name) is None or ends(name, end) is None:
            return False
        at = head
        for search in between:
            found = search(name, at, end)
            if found is None:
                return False
            at = found.end()
        return True

    return matches


def _compile_piece(piece: _Piece) -> re.Pattern[bytes]:
    """Compile consecutive sets of bytes to an expression: without repetition, nothing backtracks."""
    return re.compile(b"".join(map(_spell, piece)), re.DOTALL)


def _spell(bytes_: _Set) -> bytes:
    if not bytes_:
        return b"(?!)"
    if len(bytes_) == 1:
        return re.escape(bytes(bytes_))
    is_most = len(bytes_) > 128  # noqa: PLR2004 - then its complement is shorter
    listed = frozenset(range(256)) - bytes_ if is_most else bytes_
    return (b"[^" if is_most else b"[") + b"".join(b"\\x%02x" % byte for byte in sorted(listed)) + b"]"


# The parser follows wildmatch.c of git (2.39), whose comments explain the oddities.

_ALL: _Set = frozenset(range(256)) - {_SLASH}


def _parse(pattern: bytes) -> list[_Segment | _Wild]:
    """Split a pattern at its slashes, except those within brackets."""
    segments: list[_Segment | _Wild] = []
    pieces: list[list[_Set]] = [[]]
    at, length = 0, len(pattern)
    is_start = True
    while at < length:
        byte = pattern[at]
        if byte == _STAR:
            end = at
            while end < length and pattern[end] == _STAR:
                end += 1
            wild = _wild(pattern, end) if is_start and end - at > 1 else None
            is_start = False
            if wild is None:
                pieces.append([])
                at = end
                continue
            segments.append(wild)
            if wild is _Wild.REST:
                return segments
            at = end + (2 if wild is _Wild.SOME else 1)
            is_start = True
            if at == length:
                # A slash at the end, after the one that git strips: no path has an empty segment.
                return [*segments, ((),)]
            continue
        at, found = _character(pattern, at)
        is_start = found is None
        if found is None:
            segments.append(tuple(map(tuple, pieces)))
            pieces = [[]]
        else:
            pieces[-1].append(found)
    return [*segments, tuple(map(tuple, pieces))]


def _wild(pattern: bytes, end: int) -> _Wild | None:
    """Return the meaning of stars at the start of a segment; None if they act as one star."""
    if end == len(pattern):
        return _Wild.REST
    if pattern[end] == _SLASH:
        return _Wild.ANY
    return _Wild.SOME if pattern[end : end + 2] == b"\\/" else None


def _character(pattern: bytes, at: int) -> tuple[int, _Set | None]:
    """Parse one character other than a star.

    Returns:
        The start of the next one, and the bytes that this one matches; None for a slash.
    """
    byte = pattern[at]
    if byte == _OPEN:
        return _bracket(pattern, at + 1)
    if byte == _QUESTION:
        return at + 1, _ALL
    if byte == _ESCAPE:
        at += 1
        if at == len(pattern):
            raise InvalidPattern("the pattern ends in a backslash that escapes nothing")
        byte = pattern[at]
    return at + 1, None if byte == _SLASH else frozenset({byte})


def _bracket(pattern: bytes, at: int) -> tuple[int, _Set]:
    """Parse a bracket expression, after its opening bracket."""
    start, found = at, set[int]()
    is_negated = pattern[at : at + 1] in {b"!", b"^"}
    at += is_negated
    first = at
    before: int | None = None
    while at == first or pattern[at : at + 1] != b"]":
        byte = _byte(pattern, at, start)
        if byte == _ESCAPE:
            at += 1
            byte = _byte(pattern, at, start)
            found.add(byte)
            before = byte
        elif byte == _DASH and before and pattern[at + 1 : at + 2] not in {b"", b"]"}:
            at += 1
            last = pattern[at]
            if last == _ESCAPE:
                at += 1
                last = _byte(pattern, at, start)
            if last < before:
                raise InvalidPattern("the pattern has a range in brackets that ends before it begins")
            found.update(range(before, last + 1))
            before = None
        elif pattern[at : at + 2] == b"[:" and (end := _class_end(pattern, at + 2, start)) is not None:
            found |= _class(pattern[at + 2 : end - 1])
            at = end
            before = None
        else:
            found.add(byte)
            before = byte
        at += 1
    return at + 1, (_ALL - found if is_negated else frozenset(found) - {_SLASH})


def _byte(pattern: bytes, at: int, start: int) -> int:
    if at >= len(pattern):
        raise InvalidPattern(f"the pattern has a bracket that is not closed, at character {start}")
    return pattern[at]


def _class_end(pattern: bytes, at: int, start: int) -> int | None:
    """Return the position of the bracket that closes `[:name:]`; None if it is not one."""
    end = pattern.find(b"]", at)
    if end < 0:
        _byte(pattern, len(pattern), start)
    return end if end > at and pattern[end - 1 : end] == b":" else None


def _ascii(text: bytes) -> _Set:
    return frozenset(text)


_DIGITS = b"0123456789"
_LOWER = b"abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_GRAPH = bytes(range(0x21, 0x7F))
_CLASSES = {
    b"alnum": _ascii(_DIGITS + _LOWER + _UPPER),
    b"alpha": _ascii(_LOWER + _UPPER),
    b"blank": _ascii(b" \t"),
    b"cntrl": _ascii(bytes(range(0x20)) + b"\x7f"),
    b"digit": _ascii(_DIGITS),
    b"graph": _ascii(_GRAPH),
    b"lower": _ascii(_LOWER),
    b"print": _ascii(b" " + _GRAPH),
    b"punct": _ascii(_GRAPH) - _ascii(_DIGITS + _LOWER + _UPPER),
    b"space": _ascii(b" \t\n\r"),
    b"upper": _ascii(_UPPER),
    b"xdigit": _ascii(_DIGITS + b"abcdefABCDEF"),
}


def _class(name: bytes) -> _Set:
    try:
        return _CLASSES[name]
    except KeyError:
        known = ", ".join(each.decode() for each in _CLASSES)
        raise InvalidPattern(
            f"the pattern has an unknown class in brackets; the classes are {known}"
        ) from None
