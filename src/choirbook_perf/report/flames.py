"""Section with flame graphs, and a table of their functions. Pure but for reading graphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from markupsafe import Markup

from choirbook_perf import figures
from choirbook_perf.errors import BadInput
from choirbook_perf.plots import flame
from choirbook_perf.report.parts import Section, figure, note, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.results import Result

TABLE_ROWS = 20


def flames(subjects: Sequence[Subject]) -> Section | None:
    """Draw the flame graph of each result that has one."""
    panels = [_flame(one) for one in subjects if one.result.flame_graph_svg]
    return section("flame", "Flame graph", *panels) if panels else None


def with_flame_graphs(results: Sequence[Result], paths: Sequence[Path]) -> list[Result]:
    """Add flame graphs to results, in order.

    Raises:
        BadInput: A file cannot be read or is not a flame graph, or there are more of them than results.
    """
    if len(paths) > len(results):
        raise BadInput(
            f"There are {len(paths)} flame graphs for {len(results)} results. Pass at most one for each."
        )
    graphs = [_read(path) for path in paths]
    given = [
        msgspec.structs.replace(one, flame_graph_svg=svg) for one, svg in zip(results, graphs, strict=False)
    ]
    return [*given, *results[len(paths) :]]


def _read(path: Path) -> str:
    try:
        svg = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The flame graph {path} cannot be read: {error}.") from error
    if not flame.parse(svg):
        raise BadInput(
            f"{path} is not a flame graph written by py-spy. Pass the SVG of choirbook perf profile."
        )
    return svg


def _flame(subject: Subject) -> Markup:
    frames = flame.parse(subject.result.flame_graph_svg)
    if not frames:
        return note(f"The flame graph of {subject.name} was not written by py-spy.")
    rows = [
        (function.name, figures.percent(function.own), figures.percent(function.cumulative))
        for function in flame.functions(frames)[:TABLE_ROWS]
    ]
    samples = max(frame.samples for frame in frames)
    words = (
        f"{samples:,} samples. Width is the share of time; callers are above what they call. Pass-through "
        f"callers and frames under {flame.MIN_SHARE:.1%} are left out; point at a frame for its figures."
    )
    numbers = table(
        f"The {len(rows)} functions with the most self time", ("Function", "Own", "Cumulative"), rows
    )
    return figure(subject.name, words, flame.draw(frames, f"flame-{subject.index}"), numbers)
