"""py-spy's flame graph, redrawn without its script: boxes that stretch with the page. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import zip_longest

from choirbook_perf.markup import Markup, tag

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
"""Frame in the SVG of inferno, which py-spy uses."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One box of a flame graph."""

    function: str
    depth: int
    start: float
    """Left edge, from 0 to 1."""
    share: float
    """Share of all samples, from 0 to 1."""
    samples: int


@dataclass(frozen=True, slots=True)
class Function:
    """Share of a function in the whole graph."""

    name: str
    own: float
    """Share of the samples in the function itself."""
    cumulative: float
    """Share of the samples in the function and its callees, each stack counted once."""


def parse(svg: str) -> list[Frame]:
    """Parse the frames of a flame graph; empty if the format is unknown."""
    found = list(_FRAME.finditer(svg))
    rows = {top: depth for depth, top in enumerate(sorted({float(frame["y"]) for frame in found}))}
    return [
        Frame(
            function=unescape(frame["title"]),
            depth=rows[float(frame["y"])],
            start=float(frame["x"]) / 100,
            share=float(frame["width"]) / 100,
            samples=int(frame["samples"].replace(",", "")),
        )
        for frame in found
    ]


def functions(frames: Sequence[Frame]) -> list[Function]:
    """Sum the frames by function, without the root, highest own time first."""
    own: dict[str, float] = defaultdict(float)
    cumulative: dict[str, float] = defaultdict(float)
    ancestors: list[Frame] = []
    for frame in sorted(frames, key=lambda frame: (frame.start, frame.depth)):
        del ancestors[frame.depth :]
        own[frame.function] += frame.share
        if ancestors:
            own[ancestors[-1].function] -= frame.share
        if all(above.function != frame.function for above in ancestors):
            cumulative[frame.function] += frame.share
        ancestors.append(frame)
    named = [Function(name, max(0.0, own[name]), cumulative[name]) for name in cumulative if name != "all"]
    return sorted(named, key=lambda function: (-function.own, -function.cumulative, function.name))


def condensed(frames: Sequence[Frame]) -> list[Frame]:
    """Remove frames that contain nothing but one other: the path from the interpreter's start to the work."""
    found: list[Frame] = []
    ancestors: list[Frame] = []
    ordered = sorted(frames, key=lambda frame: (frame.start, frame.depth))
    for frame, below in zip_longest(ordered, ordered[1:]):
        while ancestors and frame.start >= ancestors[-1].start + ancestors[-1].share - SAME:
            ancestors.pop()
        passes_through = below is not None and below.depth > frame.depth and frame.share - below.share < SAME
        if not passes_through:
            found.append(replace(frame, depth=len(ancestors)))
            ancestors.append(frame)
    return found


def draw(frames: Sequence[Frame], name: str) -> Markup:
    """Draw the graph, callers above their callees."""
    shown = [frame for frame in condensed(frames) if frame.share >= MIN_SHARE]
    rows = 1 + max((frame.depth for frame in shown), default=0)
    return tag(
        "svg",
        tag("title", "Flame graph", id=f"{name}-title"),
        tag(
            "desc", "Width is the share of samples; callers stand above what they call.", id=f"{name}-summary"
        ),
        *(_box(frame) for frame in shown),
        class_="flame",
        height=rows * ROW_PX,
        role="img",
        aria_labelledby=f"{name}-title {name}-summary",
        data_plot=name,
        data_points=len(shown),
    )


def _box(frame: Frame) -> Markup:
    # A nested svg clips its text at its own edge, whatever width the page gives it.
    label = tag("text", frame.function, x=4, y=13) if frame.share >= MIN_LABELLED_SHARE else Markup("")
    return tag(
        "svg",
        tag("title", f"{frame.function}: {frame.share:.1%} of the samples ({frame.samples:,})"),
        tag("rect", width="100%", height="100%"),
        label,
        x=f"{frame.start * 100:.3f}%",
        y=frame.depth * ROW_PX,
        width=f"{frame.share * 100:.3f}%",
        height=ROW_PX - 1,
        class_=f"heat{_heat(frame.function)}",
    )


def _heat(function: str) -> int:
    """Return one of five colours, always the same for a function."""
    return sum(function.encode()) % 5
