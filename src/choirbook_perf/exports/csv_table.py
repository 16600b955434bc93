"""Latencies by kind of request as CSV (RFC 4180), a row for each kind. Pure."""

from __future__ import annotations

import csv
import io

from choirbook_perf.exports.groups import PERCENTS, groups
from choirbook_perf.results import Result

HEAD = (
    "label",
    "value",
    "requests",
    "failures",
    "mean_ms",
    *(f"p{percent:g}_ms" for percent in PERCENTS),
    "max_ms",
)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def export(result: Result) -> str:
    """Return the table, with a head."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for group in groups(result):
        figures = (round(group.latencies.mean_ms(), 6), *group.percentiles_ms(), group.latencies.max_ms())
        row = (group.label, _plain(group.value), len(group.latencies), group.failures, *figures)
        writer.writerow(row)
    return text.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from running a server's text as a formula."""
    return f"'{text}" if text.startswith(_FORMULAS) else text
