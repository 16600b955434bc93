"""Operator log: one line per event on stderr, JSON or text, never bodies or secrets.

Lines are made on the thread that writes them: an event costs the event loop its message. docs/adr/0020
explains why structlog does not make them.
"""

from __future__ import annotations

import copy
import logging
import os
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from choirbook.observe.log_writer import LineWriter
from choirbook.settings import LogFormat, LogLevel
from choirbook.text.escapes import escaped

LEVELS = {level: logging.getLevelNamesMapping()[level.value.upper()] for level in LogLevel}
"""Levels of `logging` by those of the settings."""

_SIZE_BYTES = 512
"""Estimated size of a line until it is formatted."""

_QUOTED = frozenset(" \t=\r\n\"'")
"""A value with one of these is quoted, so that people see where it ends."""


class EventHandler(logging.Handler):
    """Passes log records to the writer, which formats them.

    Members of a record's `fields` (`extra={"fields": {...}}`) become members of its line.

    Args:
        writer: Writes the lines.
        for_people: Whether lines are text for a terminal, instead of JSON.
    """

    def __init__(self, writer: LineWriter, *, for_people: bool = False) -> None:
        super().__init__()
        self._writer = writer
        self._spell = _for_people if for_people else _for_programs

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record for writing."""
        kept = copy.copy(record)
        # Now: its arguments may have changed by the time it is written. A traceback can wait.
        kept.msg, kept.args = record.getMessage(), None
        self._writer.defer(partial(self._line, kept), _SIZE_BYTES + len(kept.msg))

    def _line(self, record: logging.LogRecord) -> bytes:
        # A file name need not be UTF-8; a line must be.
        return self._spell(record).encode("utf-8", "backslashreplace") + b"\n"


def _for_programs(record: logging.LogRecord) -> str:
    """Spell a record as JSON, its members in the order of the interface."""
    line = {
        "ts": round(record.created, 3),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.msg,
        **_fields(record),
    }
    traceback = _traceback(record)
    if traceback:
        line["traceback"] = traceback
    return msgspec.json.encode({name: _unicode(value) for name, value in line.items()}).decode()


def _for_people(record: logging.LogRecord) -> str:
    """Spell a record as one line of columns, and its traceback below; what does not print becomes escapes."""
    at = datetime.fromtimestamp(record.created).astimezone()
    head = f"{at:%H:%M:%S} [{record.levelname.lower():<9}] {escaped(record.msg):<30} [{record.name}]"
    members = "".join(f" {name}={_value(value)}" for name, value in sorted(_fields(record).items()))
    traceback = _traceback(record)
    # Only a traceback has several lines.
    below = "".join(f"\n{escaped(line)}" for line in traceback.split("\n")) if traceback else ""
    return head + members + below


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "fields", {})


def _traceback(record: logging.LogRecord) -> str:
    """Return a traceback without the values of variables: they may be what a client sent."""
    if record.exc_info is None or record.exc_info[1] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def _value(value: Any) -> str:
    if not isinstance(value, str):
        return repr(value)
    text = escaped(value)
    return repr(text) if _QUOTED & set(text) else text


def _unicode(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def install(writer: LineWriter, level: int = logging.INFO, *, for_people: bool = False) -> None:
    """Write everything that is logged in this process as lines.

    Args:
        writer: Writes the lines.
        level: Minimum level for Choirbook; for other loggers it is at least warning.
        for_people: See `EventHandler`.
    """
    root = logging.getLogger()
    root.handlers[:] = [EventHandler(writer, for_people=for_people)]
    root.setLevel(max(logging.WARNING, level))
    logging.getLogger("choirbook").setLevel(level)


def is_for_people(form: LogFormat, descriptor: int = 2) -> bool:
    """Return whether lines are formatted as text for a terminal."""
    return os.isatty(descriptor) if form is LogFormat.AUTO else form is LogFormat.CONSOLE
