"""Versions of a library's `choirbook.toml`: which one is in force. Blocking; called on a thread.

A version takes effect once it has been the same for a quiet time, and only if it is valid; until then the
previous rules stay in force, and `fault` says why.
"""

from __future__ import annotations

import time
from math import inf
from pathlib import Path

from choirbook.catalog.rules import Rules
from choirbook.errors import InvalidLibrary
from choirbook.library import scanner
from choirbook.sources.quiet_period import GONE_QUIET_S, QUIET_S


class RulesFile:
    """The rules file of one library.

    Args:
        root: Directory of the library.
        text: Text of the rules in force; None for the default ones.
    """

    def __init__(self, root: Path, text: str | None) -> None:
        self._root = root
        self._in_force = text
        self._refused: str | None = None
        self._gone_s = inf
        self.fault = ""
        """Reason why the present content is not in force; names no path of the machine."""
        self.due_s = inf
        """Monotonic time from which another look may show more."""

    def look(self) -> Rules | None:
        """Look at the file.

        Returns:
            New rules to put in force; None if the previous ones stay.
        """
        try:
            text, is_settled = self._read()
        except InvalidLibrary as error:
            self._refuse(None, error)
            return None
        if not is_settled or self._is_refused(text):
            return None
        if text == self._in_force:
            self._refused, self.fault = None, ""
            return None
        try:
            rules = scanner.rules_from(text, self._root)
        except InvalidLibrary as error:
            self._refuse(text, error)
            return None
        self._in_force, self._refused, self.fault = text, None, ""
        return rules

    def _refuse(self, text: str | None, error: InvalidLibrary) -> None:
        self._refused = text
        self.fault = scanner.without_root(error.message, self._root)

    def _is_refused(self, text: str | None) -> bool:
        return text is not None and text == self._refused

    def _read(self) -> tuple[str | None, bool]:
        """Return the text, and whether it has settled."""
        text = scanner.read_rules_text(self._root)
        gone_s, self._gone_s, self.due_s = self._gone_s, inf, inf
        if text == self._in_force or self._is_refused(text):
            return text, True
        now_s = time.monotonic()
        if self._in_force is not None and not (text or "").strip():
            # An editor that rewrites the file deletes or empties it for a moment.
            self._gone_s = min(gone_s, now_s)
            if now_s - self._gone_s >= GONE_QUIET_S:
                return text, True
            self.due_s = self._gone_s + GONE_QUIET_S
            return text, False
        time.sleep(QUIET_S)
        if scanner.read_rules_text(self._root) == text:
            return text, True
        self.due_s = now_s + 2 * QUIET_S
        return text, False
