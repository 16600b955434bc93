"""Files of a library to leave out: hidden ones, and those that a `.choirbookignore` names. Pure.

A `.choirbookignore` has the syntax of a `.gitignore`; `tests/sources/test_ignore_rules_as_git.py` compares
the two. Files in directories below the root apply too, to what lies beneath them.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from choirbook.sources.wildmatch import InvalidPattern, Matcher, compile_name, compile_path
from choirbook.text.former_name import former

IGNORE_FILE = ".choirbookignore"
FORMER_IGNORE_FILE = former(IGNORE_FILE)

MAX_IGNORE_BYTES = 256 * 1024
"""Maximum size of a file in bytes: each line is compared with every file of the library."""

_BOM = b"\xef\xbb\xbf"


class InvalidIgnoreFile(ValueError):
    """A line of a `.choirbookignore` that cannot be used; the text names it, with the reason."""


class Pattern(NamedTuple):
    """One line of a file."""

    is_negated: bool
    is_for_directories: bool
    is_for_paths: bool
    """Whether it is compared with the path below its file's directory; otherwise with the last name."""
    matches: Matcher


class Patterns(NamedTuple):
    """Lines of one file."""

    depth: int
    """Length of its directory's path in bytes, with a slash at the end; 0 for that of the root."""
    last_first: tuple[Pattern, ...]

    def verdict(self, path: bytes, name: bytes, *, is_directory: bool) -> bool | None:
        """Return whether a path is left out; None if no line matches it.

        Args:
            path: Relative to the root, and beneath the file's directory.
            name: Its last segment.
            is_directory: Whether it is a directory.
        """
        below = path[self.depth :]
        for pattern in self.last_first:
            if pattern.is_for_directories and not is_directory:
                continue
            if pattern.matches(below if pattern.is_for_paths else name):
                return not pattern.is_negated
        return None


Chain = tuple[Patterns, ...]
"""Files that apply in a directory, the deepest first."""


def is_hidden(path: str) -> bool:
    """Return whether any component starts with a dot."""
    return path.startswith(".") or "/." in path


def is_ignore_file(path: str) -> bool:
    """Return whether a path is that of a `.choirbookignore`, of the root or below."""
    return path == IGNORE_FILE or path.endswith(f"/{IGNORE_FILE}")


def ignores(chain: Chain, path: str, *, is_directory: bool) -> bool:
    """Return whether patterns leave out a path, given that they leave out none of its directories.

    Args:
        chain: Files that apply in its directory.
        path: Relative to the root.
        is_directory: Whether it is a directory.
    """
    if not chain:
        return False
    encoded = os.fsencode(path)
    name = encoded.rpartition(b"/")[2]
    for patterns in chain:
        verdict = patterns.verdict(encoded, name, is_directory=is_directory)
        if verdict is not None:
            return verdict
    return False


def parse_ignore(data: bytes, directory: str = "") -> Patterns:
    """Parse a `.choirbookignore`.

    Args:
        data: Content of the file.
        directory: Its directory, relative to the root.

    Raises:
        InvalidIgnoreFile: A line cannot be used; the message names file and line.
    """
    found = []
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        try:
            pattern = _parse_line(line.removesuffix(b"\r"))
        except InvalidPattern as error:
            where = f"{directory}/{IGNORE_FILE}" if directory else IGNORE_FILE
            raise InvalidIgnoreFile(f"{where}, line {number}: {error}. Correct or remove it.") from None
        if pattern is not None:
            found.append(pattern)
    depth = len(os.fsencode(directory)) + 1 if directory else 0
    return Patterns(depth, tuple(reversed(found)))


def _parse_line(line: bytes) -> Pattern | None:
    """Parse a line like `parse_path_pattern` in git's dir.c; None if it holds no pattern."""
    if line.startswith(b"#"):
        return None
    if b"\0" in line:
        raise InvalidPattern("the pattern has a NUL byte")
    text = _without_trailing_spaces(line)
    if not text:
        return None
    is_negated = text.startswith(b"!")
    pattern = text[is_negated:]
    is_for_directories = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    if not pattern:
        raise InvalidPattern("the pattern is empty, so it matches nothing")
    is_for_paths = b"/" in pattern
    compiled = compile_path(pattern.removeprefix(b"/")) if is_for_paths else compile_name(pattern)
    return Pattern(is_negated, is_for_directories, is_for_paths, compiled)


def _without_trailing_spaces(line: bytes) -> bytes:
    """Remove the spaces at the end that no backslash escapes."""
    stripped = line.rstrip(b" ")
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    # An odd number of backslashes escapes the first of the spaces, which stays.
    return line[: len(stripped) + 1] if backslashes % 2 and len(line) > len(stripped) else stripped
