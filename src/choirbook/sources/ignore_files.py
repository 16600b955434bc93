"""The `.choirbookignore` files of a tree: reading them, deciding which contents are in force. Blocking.

It fails closed. A file that cannot be used (malformed, too long, a link that leads outside) never counts as
absent: its previous patterns stay in force, and if there are none, everything beneath is left out. A changed
file takes effect once it has been quiet; a deleted or emptied one, once that has lasted.
"""

from __future__ import annotations

import os
import stat
import time
from math import inf
from typing import NamedTuple

from choirbook.runtime.exhaustion import is_exhaustion
from choirbook.sources.beneath import Directory, is_regular
from choirbook.sources.ignore_rules import (
    FORMER_IGNORE_FILE,
    IGNORE_FILE,
    MAX_IGNORE_BYTES,
    Chain,
    InvalidIgnoreFile,
    Patterns,
    ignores,
    parse_ignore,
)
from choirbook.sources.quiet_period import GONE_QUIET_S, QUIET_S

_WRITTEN_FOR_S = 1.0
"""Maximum wait for a file that was never read while it is being written, in seconds."""


class _Look(NamedTuple):
    """One reading of a file."""

    data: bytes | None
    """Content of the file; None if there is no such file."""
    is_quiet: bool = True
    fault: str = ""
    """Reason why it cannot be read."""


class _State(NamedTuple):
    """State of one file."""

    data: bytes | None
    patterns: Patterns | None
    """Patterns of `data`; None if there are none."""
    fault: str = ""
    """Reason why its present content is not in force."""
    gone_s: float = inf
    """Monotonic time since when it has been gone or empty, while its patterns are still in force."""
    due_s: float = inf
    """Monotonic time from which another look may show more."""
    is_closed: bool = False
    """Whether nothing beneath is served, because the file's patterns were never known."""


class IgnoreFiles:
    """Patterns of all files of a tree.

    Reads on other threads use it while a listing is made: states are immutable, and are replaced completely.

    Args:
        root: Path of the root, for links.
        directory: The root, held open.
    """

    def __init__(self, root: str, directory: Directory) -> None:
        self._root = root
        self._directory = directory
        self._states: dict[str, _State] = {}
        self._seen: dict[str, _State] | None = None
        self._says_nothing = True
        """Whether no file of the tree has patterns, as in most trees."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Reasons why the present content of some files is not in force, in words for the operator."""
        # The copy is made in one step; other threads may add states meanwhile.
        return tuple(state.fault for _, state in sorted(self._states.items()) if state.fault)

    @property
    def due_s(self) -> float:
        """Monotonic time from which a listing may show more than the last one did."""
        return min((state.due_s for state in list(self._states.values())), default=inf)

    def begin(self) -> None:
        """Begin a listing, in which `enter` is called for each directory, parents first."""
        self._seen = {}

    def end(self) -> None:
        """End a complete listing: patterns of directories that no longer exist are dropped."""
        if self._seen is not None:
            # In this order, so that a state which another thread adds after the swap is not missed.
            self._says_nothing = all(map(_is_silent, self._seen.values()))
            self._states = self._seen
        self._seen = None

    def enter(self, directory: str, *, is_present: bool) -> bool:
        """Look at the file of a directory again.

        Args:
            directory: Relative to the root.
            is_present: Whether the directory has an entry of that name, or of its former one.

        Returns:
            Whether anything in the directory may be served.
        """
        known = self._states.get(directory)
        if known is None or is_present or known.data is not None or known.fault:
            state = self._decide(directory, known, is_present=is_present)
        else:
            state = known
        self._take(directory, state)
        if self._seen is not None:
            self._seen[directory] = state
        return not state.is_closed

    def chain(self, directory: str) -> Chain:
        """Return the files that apply in an entered directory, the deepest first."""
        found = []
        while True:
            state = self._states.get(directory)
            if state is not None and state.patterns is not None:
                found.append(state.patterns)
            if not directory:
                return tuple(found)
            directory = directory.rpartition("/")[0]

    def leaves_out(self, path: str, *, is_directory: bool = False) -> bool:
        """Return whether a path is left out, itself or with a parent directory.

        Files of directories that were never entered are read for it.

        Args:
            path: Relative to the root.
            is_directory: Whether it is a directory.
        """
        if self._says_nothing and path.rpartition("/")[0] in self._states:
            return False
        chain: Chain = ()
        end = -1
        while True:
            directory = path[: max(end, 0)]
            state = self._states.get(directory) or self._first(directory)
            if state.is_closed:
                return True
            if state.patterns is not None:
                chain = (state.patterns, *chain)
            end = path.find("/", end + 1)
            if end < 0:
                return ignores(chain, path, is_directory=is_directory)
            if ignores(chain, path[:end], is_directory=True):
                return True

    def _first(self, directory: str) -> _State:
        self._take(directory, self._decide(directory, None, is_present=True))
        return self._states[directory]

    def _take(self, directory: str, state: _State) -> None:
        # This comes first: a concurrent reader must not find the state and ignore its patterns.
        if not _is_silent(state):
            self._says_nothing = False
        self._states[directory] = state

    def _decide(self, directory: str, known: _State | None, *, is_present: bool) -> _State:
        look = self._look(directory) if is_present else _Look(None)
        if known is None:
            return self._decide_first(directory, look)
        now_s = time.monotonic()
        if look.data == known.data and not look.fault and not known.is_closed:
            return known._replace(fault="", gone_s=inf, due_s=inf)
        says_something = known.patterns is not None and bool(known.patterns.last_first)
        if not look.fault and not (look.data or b"").strip() and (says_something or known.is_closed):
            # An editor that rewrites a file also deletes or empties it for a moment.
            gone_s = min(known.gone_s, now_s)
            if now_s - gone_s < GONE_QUIET_S:
                return known._replace(gone_s=gone_s, due_s=gone_s + GONE_QUIET_S)
        elif not look.is_quiet:
            time.sleep(QUIET_S)
            again = self._look(directory)
            if again != look._replace(is_quiet=again.is_quiet) or not again.is_quiet:
                return known._replace(gone_s=inf, due_s=time.monotonic() + QUIET_S)
        state = self._read(directory, look)
        # Its previous patterns stay; only the fault changes.
        return known._replace(fault=state.fault, gone_s=inf, due_s=inf) if state.fault else state

    def _decide_first(self, directory: str, look: _Look) -> _State:
        until_s = time.monotonic() + _WRITTEN_FOR_S
        while not look.is_quiet and time.monotonic() < until_s:
            time.sleep(QUIET_S)
            look = self._look(directory)
        if not look.is_quiet:
            fault = f"{_name(directory)} is being written"
            return _State(None, None, fault, due_s=time.monotonic() + QUIET_S, is_closed=True)
        state = self._read(directory, look)
        return state._replace(is_closed=True) if state.fault else state

    def _read(self, directory: str, look: _Look) -> _State:
        if look.fault:
            return _State(None, None, _name(directory) + f" {look.fault}")
        if look.data is None:
            return _NOTHING
        try:
            return _State(look.data, parse_ignore(look.data, directory))
        except InvalidIgnoreFile as error:
            return _State(None, None, str(error))

    def _look(self, directory: str) -> _Look:
        path = _name(directory)
        try:
            descriptor = self._open(path)
            try:
                return _read_file(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return _Look(None, fault=_FORMER if self._has_former(directory) else "")
        except _LeadsNowhere:
            return _Look(None, fault="is a symbolic link that leads nowhere beneath the library's directory")
        except OSError as error:
            if is_exhaustion(error):
                # Nothing is known about the file: neither that it changed nor that it is unusable.
                raise
            return _Look(None, fault=f"cannot be read: {error.strerror}")

    def _has_former(self, directory: str) -> bool:
        """Return whether a directory has a file of the former name."""
        try:
            descriptor = self._open(_name(directory, FORMER_IGNORE_FILE))
        except FileNotFoundError:
            return False
        except _LeadsNowhere:
            return True
        except OSError as error:
            if is_exhaustion(error):
                raise
            return True
        try:
            return not stat.S_ISDIR(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)

    def _open(self, path: str) -> int:
        try:
            return self._directory.open(path)
        except FileNotFoundError:
            if not os.path.islink(f"{self._root}/{path}"):  # noqa: PTH114 - of a path that is joined already
                raise
        # Patterns must be known whether links are served or not.
        following = Directory(self._root, follow_links=True)
        try:
            return following.open(path)
        except FileNotFoundError as error:
            raise _LeadsNowhere(path) from error
        finally:
            following.close()


class _LeadsNowhere(Exception):
    """A link to a file outside of the root, or to none."""


_NOTHING = _State(None, None)

_FORMER = (
    f"is missing, and {FORMER_IGNORE_FILE} has the former name of this product. Rename it to {IGNORE_FILE}."
)


def _is_silent(state: _State) -> bool:
    return state.patterns is None and not state.is_closed


def _name(directory: str, name: str = IGNORE_FILE) -> str:
    return f"{directory}/{name}" if directory else name


def _read_file(descriptor: int) -> _Look:
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        return _Look(None)
    if not is_regular(status):
        return _Look(None, fault="is not a regular file")
    chunks, size = [], 0
    while size <= MAX_IGNORE_BYTES and (chunk := os.read(descriptor, MAX_IGNORE_BYTES + 1 - size)):
        chunks.append(chunk)
        size += len(chunk)
    if size > MAX_IGNORE_BYTES:
        return _Look(None, fault=f"is longer than {MAX_IGNORE_BYTES // 1024} KiB. Shorten it")
    # A time in the future comes from a clock that was set, not from a writer.
    age_s = time.time() - status.st_ctime
    return _Look(b"".join(chunks), is_quiet=not 0 <= age_s < QUIET_S)
