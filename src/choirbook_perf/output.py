"""Output files of commands: written completely or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import OutputFailed


def write_text(path: Path, text: str) -> None:
    """Write a file, and create its directories.

    Raises:
        OutputFailed: It cannot be written.
    """
    scratch = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise OutputFailed(
            f"{path} cannot be written: {error.strerror or error}. Choose another path."
        ) from error


def to_json(value: Any) -> str:
    """Encode a result for its file: on one line, as thousands of counts are for programs only."""
    return msgspec.json.encode(value).decode() + "\n"
