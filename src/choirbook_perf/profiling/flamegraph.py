"""Flame graph of stacks as an SVG file of its own, with zoom and search. Pure.

py-spy writes one format per recording, and perf draws none. The tables are made from the same stacks, so this
draws what they count. `plots/flame` reads the file back for the report.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from choirbook_perf.profiling.stacks import Stack, Stacks
from choirbook_perf.templating import render

WIDTH_PX = 1200
ROW_PX = 17
MIN_SHARE = 0.0002
"""A box under a quarter of a pixel is left out; its samples stay in the box that it is in."""

_TOP_PX = 44
_BOTTOM_PX = 8
_CHARACTER_PX = 6.7
"""Width of a character of the labels, which have a font of 11 pixels."""
_MIN_LABEL = 3

_COMPONENT = re.compile(r"\[([^\]]+)\]$")
_COLOURS = {"kernel": "kernel", "Granian": "granian", "Python interpreter": "python", "libc": "libc"}


class Box(NamedTuple):
    """One box: a function, called by the box above it."""

    function: str
    depth: int
    start: int
    """Samples left of it."""
    samples: int


class _Drawn(NamedTuple):
    title: str
    label: str
    x: str
    y: int
    width: str
    kind: str


def boxes_of(stacks: Stacks) -> list[Box]:
    """Merge stacks that begin alike into boxes, below one box for all of them."""
    found = [Box("all", 0, 0, sum(stacks.values()))]
    opened: list[tuple[str, int]] = []
    position = 0

    def close(depth: int) -> None:
        while len(opened) > depth:
            function, start = opened.pop()
            found.append(Box(function, len(opened) + 1, start, position - start))

    previous: Stack = ()
    for stack, count in sorted(stacks.items()):
        close(_shared(previous, stack))
        opened += [(function, position) for function in stack[len(opened) :]]
        position += count
        previous = stack
    close(0)
    return sorted(found, key=lambda box: (box.depth, box.start))


def svg_of(stacks: Stacks, title: str, note: str) -> str:
    """Draw stacks, callers above what they call.

    Args:
        stacks: Stacks with their number of samples.
        title: Heading.
        note: One line below it: what the graph covers, and what it does not.
    """
    boxes = boxes_of(stacks)
    total = boxes[0].samples
    drawn = [_drawn(box, total) for box in boxes if total and box.samples >= total * MIN_SHARE]
    rows = 1 + max((box.depth for box in boxes), default=0)
    return render(
        "flamegraph.svg",
        title=title,
        note=note,
        width=WIDTH_PX,
        height=_TOP_PX + rows * ROW_PX + _BOTTOM_PX,
        row=ROW_PX - 1,
        character=_CHARACTER_PX,
        boxes=drawn,
    )


def _shared(first: Stack, second: Stack) -> int:
    """Return how many functions two stacks have in common at their beginning."""
    pairs = zip(first, second, strict=False)
    return next(
        (depth for depth, (one, other) in enumerate(pairs) if one != other), min(len(first), len(second))
    )


def _drawn(box: Box, total: int) -> _Drawn:
    share = box.samples / total
    characters = int((share * WIDTH_PX - 4) / _CHARACTER_PX)
    unit = "sample" if box.samples == 1 else "samples"
    return _Drawn(
        title=f"{box.function} ({box.samples:,} {unit}, {share:.2%})",
        label=_clipped(box.function, characters),
        x=f"{box.start / total * 100:.4f}%",
        y=_TOP_PX + box.depth * ROW_PX,
        width=f"{share * 100:.4f}%",
        kind=_kind(box.function),
    )


def _clipped(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    return f"{text[: characters - 1]}\N{HORIZONTAL ELLIPSIS}" if characters >= _MIN_LABEL else ""


def _kind(function: str) -> str:
    """Return the class of a box: native code by component, Python functions spread over five."""
    component = _COMPONENT.search(function)
    if component:
        return _COLOURS.get(component[1], "other")
    return f"heat{sum(function.encode()) % 5}"
