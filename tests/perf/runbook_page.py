"""Commands and queries of the runbook, extracted from the page as it is."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance-runbook.md"

_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def commands() -> list[str]:
    """Return each command once: those of `sh` blocks, and those of the table of symptoms."""
    lines = [line for kind, text in _blocks() if kind == "sh" for line in text.splitlines()]
    found = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    return list(dict.fromkeys(command for command in [*found, *(row[2] for row in _symptoms())] if command))


def queries() -> list[str]:
    """Return each query once: those of `promql` blocks, and the metrics of the table of symptoms."""
    found = [text.strip() for kind, text in _blocks() if kind == "promql"]
    return list(dict.fromkeys([*found, *(row[1] for row in _symptoms())]))


def _blocks() -> list[tuple[str, str]]:
    return [(block["kind"], block["text"]) for block in _BLOCK.finditer(page())]


def _symptoms() -> list[list[str]]:
    """Return the cells of the table of symptoms, as a reader copies them."""
    table = page().partition("## Troubleshooting")[2].strip().splitlines()[2:]
    return [[_copied(cell) for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table]


def _copied(cell: str) -> str:
    return cell.strip().strip("`").replace("\\|", "|")
