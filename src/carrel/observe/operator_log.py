"""What the operator is told: one JSON line per event on stderr, never bodies or secrets."""

from __future__ import annotations

import logging

import msgspec

from carrel.observe.lines import LineWriter


class JsonLineHandler(logging.Handler):
    """Turns log records into JSON lines; what a record has as `fields` become members."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        line = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            # A file name need not be UTF-8; a line of JSON has to be.
            "message": record.getMessage().encode("utf-8", "backslashreplace").decode(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._writer.write(msgspec.json.encode(line) + b"\n")


def install(writer: LineWriter, level: int = logging.INFO) -> None:
    """Have everything that is logged in this process written as JSON lines."""
    root = logging.getLogger()
    root.handlers[:] = [JsonLineHandler(writer)]
    root.setLevel(logging.WARNING)
    logging.getLogger("carrel").setLevel(level)
