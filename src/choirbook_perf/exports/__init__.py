"""Results in the formats of other tools. Each module turns one result into text, and is pure."""

from __future__ import annotations

from collections.abc import Callable

from choirbook_perf.exports import csv_table, hgrm, json_document, junit, prometheus, step_summary
from choirbook_perf.results import Result

FORMATS: dict[str, Callable[[Result], str]] = {
    "json": json_document.export,
    "csv": csv_table.export,
    "hgrm": hgrm.export,
    "junit": junit.export,
    "step-summary": step_summary.export,
    "prometheus": prometheus.export,
}
"""Function for each format, by the name that the command line uses."""
