"""Verdict as Markdown, for the step summary of GitHub Actions. Pure."""

from __future__ import annotations

import re

from choirbook_perf import figures, gate
from choirbook_perf.exports.groups import PERCENTS, Group, groups
from choirbook_perf.results import Result, Row
from choirbook_perf.runbook.markdown import table

OUTCOMES = {"pass": "✅ passed", "fail": "❌ failed", "inconclusive": "⚠️ unknown"}
_SHOWN = {"all", "cache_result", "resource_type"}
_MAX_FAILURES = 10
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#!~])")


def export(result: Result) -> str:
    """Return the summary."""
    title = f"## {_plain(result.label) or 'Performance'}: {OUTCOMES[gate.outcome(result.verdict)]}"
    return "\n\n".join([title, *_parts(result)]) + "\n"


def _parts(result: Result) -> list[str]:
    generator, target = result.generator, result.target
    told = f"{target.protocol} {target.era}".strip()
    server = _plain(target.server) or "The server"
    partial = " **The run was interrupted.**" if result.is_partial else ""
    requests, failed = figures.whole(result.attempts()), figures.whole(result.failed())
    length = figures.significant(result.duration_s)
    parts = [f"{server} over {told}: {requests} requests in {length} s, {failed} failed.{partial}"]
    if not generator.is_valid:
        reasons = " ".join(map(_plain, generator.reasons))
        parts.append(f"> **The load generator was not fast enough, so nothing is decided.** {reasons}")
    parts += [f"> {_plain(warning)}" for warning in generator.warnings]
    head = ("Threshold", "Outcome", "Measured", "Interval", "Requests", "Reason")
    parts.append(table(head, [_row(row) for row in result.verdict], texts=2))
    heads = ("Latency, ms", "Requests", "Failed", *(f"p{percent:g}" for percent in PERCENTS), "Longest")
    rows = [_group(group) for group in groups(result) if group.label in _SHOWN]
    if rows:
        parts.append(table(heads, rows))
    if result.failures:
        failures = sorted(result.failures, key=lambda one: -one.count)[:_MAX_FAILURES]
        cells = [(_plain(one.name), _plain(one.reason), figures.whole(one.count)) for one in failures]
        parts.append(table(("Failed", "Reason", "Count"), cells, texts=2))
    return parts


def _row(row: Row) -> list[str]:
    outcome = (
        row.outcome if row.is_required or row.outcome != "not measured" else "not measured (not required)"
    )
    return [
        _plain(f"{row.metric} {gate.limit_of(row)}"),
        outcome if row.outcome == "pass" else f"**{outcome}**",
        gate.value_of(row),
        gate.interval_of(row),
        figures.whole(row.requests),
        _plain(row.reason),
    ]


def _group(group: Group) -> list[str]:
    name = "all" if group.label == "all" else f"{group.label.replace('_', ' ')}: {group.value}"
    cells = map(figures.milliseconds, (*group.percentiles_ms(), group.latencies.max_ms()))
    return [_plain(name), figures.whole(len(group.latencies)), figures.whole(group.failures), *cells]


def _plain(text: str) -> str:
    """Escape a server's text: it must not become markup or a link of the summary."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
