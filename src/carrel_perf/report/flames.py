"""The section with flame graphs, and a table of the functions behind them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from carrel_perf import figures
from carrel_perf.markup import Markup, tag
from carrel_perf.plots import flame
from carrel_perf.report.parts import section, table
from carrel_perf.report.subjects import Subject

TABLE_ROWS = 20


def flames(subjects: Sequence[Subject]) -> Markup:
    """Draw the flame graph of each result that has one."""
    panels = [_flame(one) for one in subjects if one.result.flame_graph_svg]
    return section("flame", "Flame graph", *panels) if panels else Markup("")


def _flame(subject: Subject) -> Markup:
    frames = flame.parse(subject.result.flame_graph_svg)
    if not frames:
        return tag(
            "p", f"The flame graph of {subject.name} is not of the kind that py-spy writes.", class_="note"
        )
    rows = [
        (function.name, figures.percent(function.own), figures.percent(function.cumulative))
        for function in flame.functions(frames)[:TABLE_ROWS]
    ]
    samples = max(frame.samples for frame in frames)
    words = (
        f"{samples:,} samples. Width is share of time; callers stand above what they call. "
        f"Frames under {flame.MIN_SHARE:.1%} are left out; point at a frame for its figures."
    )
    return tag(
        "figure",
        tag("figcaption", tag("h3", subject.name), tag("p", words)),
        flame.draw(frames, f"flame-{subject.index}"),
        tag(
            "details",
            tag("summary", "The figures of this plot"),
            table(
                f"The {len(rows)} functions with most time of their own",
                ("Function", "Own", "Cumulative"),
                rows,
            ),
        ),
    )
