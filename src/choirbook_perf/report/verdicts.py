"""Section with the verdict and, if it is bad, where time was spent. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from choirbook_perf import figures
from choirbook_perf.markup import Markup, join, tag
from choirbook_perf.report.parts import badge, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import summary
from choirbook_perf.report.where import where
from choirbook_perf.results import Result

OUTCOME_ORDER = ("fail", "inconclusive", "pass")


def outcome(result: Result) -> str:
    """Return the worst outcome of a result's rows."""
    found = {row.outcome for row in result.verdict}
    return next((kind for kind in OUTCOME_ORDER if kind in found), "inconclusive")


def verdict(subjects: Sequence[Subject]) -> Markup:
    """Show the thresholds and measurements of each result."""
    return section("verdict", "Verdict", *(_verdict(subject) for subject in subjects))


def _verdict(subject: Subject) -> Markup:
    result = subject.result
    rows = [
        (
            row.metric,
            badge(row.outcome),
            figures.significant(row.measured),
            figures.significant(row.limit),
            row.unit,
            figures.whole(row.requests),
        )
        for row in result.verdict
    ]
    reasons = [tag("li", f"{row.metric}: {row.reason}") for row in result.verdict if row.reason]
    partial = tag("p", "The run was interrupted: this is what was measured until then.", class_="note")
    return join(
        tag("h3", subject.name, " ", badge(outcome(result))),
        tag("p", summary(result)),
        partial if result.is_partial else Markup(""),
        table(
            f"Thresholds of {subject.name}",
            ("Metric", "Outcome", "Measured", "Limit", "Unit", "Requests"),
            rows,
            texts=2,
        ),
        tag("ul", *reasons, class_="reasons") if reasons else Markup(""),
        tag("p", where(result), class_="note") if outcome(result) == "fail" else Markup(""),
    )
