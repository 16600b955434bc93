"""Which files of a library are left out: hidden ones, and those that `.carrelignore` names."""

from __future__ import annotations

from typing import Protocol

IGNORE_FILE = ".carrelignore"


class Ignore(Protocol):
    """Tells whether a path is left out."""

    def __call__(self, path: str, *, is_directory: bool) -> bool:
        """Args: path: Relative to the root. is_directory: Its kind, which gitignore patterns can ask for."""


def is_hidden(path: str) -> bool:
    """Tell whether any component starts with a dot."""
    return path.startswith(".") or "/." in path


def _ignore_hidden(path: str, *, is_directory: bool) -> bool:  # noqa: ARG001 - the protocol's shape
    return is_hidden(path)


def ignore_from(text: str | None) -> Ignore:
    """Make the test from the text of a `.carrelignore` (gitignore syntax), or from None without one."""
    if text is None or not text.strip():
        return _ignore_hidden

    # Most libraries have no such file, and their start does without the import.
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(text.splitlines())

    def ignore(path: str, *, is_directory: bool) -> bool:
        return is_hidden(path) or spec.match_file(path + "/" if is_directory else path)

    return ignore
