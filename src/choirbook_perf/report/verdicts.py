"""Section with the verdict and, if it is bad, where time was spent. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from choirbook_perf import figures, gate
from choirbook_perf.report.parts import Section, badge, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import summary
from choirbook_perf.report.where import where
from choirbook_perf.templating import call


def verdict(subjects: Sequence[Subject]) -> Section:
    """Show the thresholds and measurements of each result."""
    return section("verdict", "Verdict", *(_verdict(subject) for subject in subjects))


def _verdict(subject: Subject) -> Markup:
    result = subject.result
    rows = [
        (
            row.metric,
            badge(row.outcome),
            gate.limit_of(row),
            gate.value_of(row),
            gate.interval_of(row),
            figures.whole(row.requests),
        )
        for row in result.verdict
    ]
    thresholds = table(
        f"Thresholds of {subject.name}",
        ("Metric", "Outcome", "Limit", "Measured", "Interval", "Requests"),
        rows,
        texts=2,
    )
    reasons = [f"{row.metric}: {row.reason}" for row in result.verdict if row.reason]
    worst = gate.outcome(result.verdict)
    slowest = where(result) if worst == "fail" else None
    about = (subject.name, badge(worst), summary(result), result.is_partial)
    return call("parts.html", "verdict", *about, thresholds, reasons, slowest)
