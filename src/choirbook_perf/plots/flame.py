"""The flame graph of a profile, drawn again without its script: boxes that stretch with the page. Pure.

docs/adr/0020 says why the file itself is not shown.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import zip_longest

from markupsafe import Markup

from choirbook_perf.plots.chart import PLOTS
from choirbook_perf.templating import call

ROW_PX = 19
MIN_SHARE = 0.002
"""Minimum share of a frame to draw: a narrower one is under a pixel wide; the page mentions the omission."""

MIN_LABELLED_SHARE = 0.02

SAME = 0.0005
"""Tolerance for shares, which are written with four decimals of a percent, and rounded before."""

_FRAME = re.compile(
    r"<g><title>(?P<title>[^<]*) \((?P<samples>[\d,]+) samples?, [\d.]+%\)</title>"
    r'<rect x="(?P<x>[\d.]+)%" y="(?P<y>[\d.]+)" width="(?P<width>[\d.]+)%"'
)
"""Frame in the SVG of `profiling/flamegraph`, and of inferno, which py-spy uses."""


@dataclass(frozen=True, slots=True)
class FlameBox:
    """One box of a flame graph."""

    function: str
    depth: int
    start: float
    """Left edge, from 0 to 1."""
    share: float
    """Share of all samples, from 0 to 1."""
    samples: int


@dataclass(frozen=True, slots=True)
class FlameGraph:
    """Texts of a complete graph."""

    name: str
    """Name, unique on the page."""
    title: str = "Flame graph"
    summary: str = "Width is the share of samples; callers stand above what they call."


@dataclass(frozen=True, slots=True)
class _Box:
    """A frame as it is drawn."""

    title: str
    label: str
    x: str
    y: int
    width: str
    heat: int


@dataclass(frozen=True, slots=True)
class FunctionTotal:
    """Share of a function in the whole graph."""

    name: str
    own: float
    """Share of the samples in the function itself."""
    cumulative: float
    """Share of the samples in the function and its callees, each stack counted once."""


def parse(svg: str) -> list[FlameBox]:
    """Parse the frames of a flame graph; empty if the format is unknown."""
    found = list(_FRAME.finditer(svg))
    rows = {top: depth for depth, top in enumerate(sorted({float(frame["y"]) for frame in found}))}
    return [
        FlameBox(
            function=unescape(frame["title"]),
            depth=rows[float(frame["y"])],
            start=float(frame["x"]) / 100,
            share=float(frame["width"]) / 100,
            samples=int(frame["samples"].replace(",", "")),
        )
        for frame in found
    ]


def functions(frames: Sequence[FlameBox]) -> list[FunctionTotal]:
    """Sum the frames by function, without the root, highest own time first."""
    own: dict[str, float] = defaultdict(float)
    cumulative: dict[str, float] = defaultdict(float)
    ancestors: list[FlameBox] = []
    for frame in sorted(frames, key=lambda frame: (frame.start, frame.depth)):
        del ancestors[frame.depth :]
        own[frame.function] += frame.share
        if ancestors:
            own[ancestors[-1].function] -= frame.share
        if all(above.function != frame.function for above in ancestors):
            cumulative[frame.function] += frame.share
        ancestors.append(frame)
    named = [
        FunctionTotal(name, max(0.0, own[name]), cumulative[name]) for name in cumulative if name != "all"
    ]
    return sorted(named, key=lambda function: (-function.own, -function.cumulative, function.name))


def condensed(frames: Sequence[FlameBox]) -> list[FlameBox]:
    """Remove frames that contain nothing but one other: the path from the interpreter's start to the work."""
    found: list[FlameBox] = []
    ancestors: list[FlameBox] = []
    ordered = sorted(frames, key=lambda frame: (frame.start, frame.depth))
    for frame, below in zip_longest(ordered, ordered[1:]):
        while ancestors and frame.start >= ancestors[-1].start + ancestors[-1].share - SAME:
            ancestors.pop()
        passes_through = below is not None and below.depth > frame.depth and frame.share - below.share < SAME
        if not passes_through:
            found.append(replace(frame, depth=len(ancestors)))
            ancestors.append(frame)
    return found


def draw(frames: Sequence[FlameBox], name: str) -> Markup:
    """Draw the graph, callers above their callees."""
    shown = [frame for frame in condensed(frames) if frame.share >= MIN_SHARE]
    rows = 1 + max((frame.depth for frame in shown), default=0)
    boxes = [_box(frame) for frame in shown]
    return call(PLOTS, "flame", FlameGraph(name), rows * ROW_PX, ROW_PX - 1, boxes)


def _box(frame: FlameBox) -> _Box:
    return _Box(
        title=f"{frame.function}: {frame.share:.1%} of the samples ({frame.samples:,})",
        label=frame.function if frame.share >= MIN_LABELLED_SHARE else "",
        x=f"{frame.start * 100:.3f}%",
        y=frame.depth * ROW_PX,
        width=f"{frame.share * 100:.3f}%",
        heat=_heat(frame.function),
    )


def _heat(function: str) -> int:
    """Return one of five colours, always the same for a function."""
    return sum(function.encode()) % 5
