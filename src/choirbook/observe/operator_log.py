"""Operator log: one line per event on stderr, JSON or text, never bodies or secrets.

Log records of modules go through structlog's processors. These run, and are imported, on the writing thread:
an event costs the event loop only its message, and startup nothing.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from choirbook.observe.log_writer import LineWriter
from choirbook.settings import LogFormat, LogLevel
from choirbook.text.escapes import escaped

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

LEVELS = {level: logging.getLevelNamesMapping()[level.value.upper()] for level in LogLevel}
"""Levels of `logging` by those of the settings."""

_SIZE_BYTES = 512
"""Estimated size of a line until it is formatted."""


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
        self._for_people = for_people
        self._format: Callable[[logging.LogRecord], str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record for writing."""
        kept = copy.copy(record)
        # Now: its arguments may have changed by the time it is written. A traceback can wait.
        kept.msg, kept.args = record.getMessage(), None
        self._writer.defer(partial(self._line, kept), _SIZE_BYTES + len(kept.msg))

    def _line(self, record: logging.LogRecord) -> bytes:
        if self._format is None:
            self._format = _formatter(for_people=self._for_people).format
        # A file name need not be UTF-8; a line must be.
        return self._format(record).encode("utf-8", "backslashreplace") + b"\n"


def _formatter(*, for_people: bool) -> logging.Formatter:
    import structlog

    # A traceback without the values of variables: they may come from a client.
    shown: list[Processor] = [structlog.processors.format_exc_info]
    if for_people:
        # No colours: they are a nuisance in text copied from a terminal.
        plain = structlog.dev.plain_traceback
        shown += [_for_people, structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    else:
        shown += [_for_programs, structlog.processors.JSONRenderer(_encode)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _add_fields],
        processors=shown,
    )


def _add_fields(_: Any, __: str, event: EventDict) -> EventDict:
    return {**event, **getattr(event["_record"], "fields", {})}


def _for_people(_: Any, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    at = datetime.fromtimestamp(record.created).astimezone()
    shown = {name: _printable(name, value) for name, value in event.items()}
    return {**shown, "timestamp": f"{at:%H:%M:%S}"}


def _printable(name: str, value: Any) -> Any:
    """Escape characters that do not print; only a traceback may have several lines."""
    if not isinstance(value, str):
        return value
    return _on_lines(value) if name == "exception" else escaped(value)


def _on_lines(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))


def _for_programs(_: Any, __: str, event: EventDict) -> EventDict:
    """Put the members in the order of the interface, under its names."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    head = {
        "ts": round(record.created, 3),
        "level": event.pop("level"),
        "logger": event.pop("logger"),
        "message": event.pop("event"),
    }
    traceback = event.pop("exception", None)
    return {**head, **event, **({} if traceback is None else {"traceback": traceback})}


def _encode(event: EventDict, **_: Any) -> str:
    return msgspec.json.encode({name: _unicode(value) for name, value in event.items()}).decode()


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
