"""Order of the slices of a comparison. Pure.

Servers are started afresh in each round: two processes of the same code can differ by a few per cent for as
long as they live, through the layout of their memory. Slices within a round share that difference, rounds do
not.

Within each pair chance decides who is first. What the machine does in the meantime then hits either side with
the same probability, whatever its course over time, which makes the signed-rank test exact (Fisher,
The Design of Experiments, chapter 3). A fixed order would leave a drift or a rhythm of the machine in the
result.
"""

from __future__ import annotations

import random
from typing import NamedTuple

OLD, NEW = 0, 1

PAIRS = 3
"""Counted pairs of a round, after the one that is dropped."""


class Turn(NamedTuple):
    """One slice."""

    round: int
    pair: int
    """From 0 in each round; pair 0 warms up and is dropped."""
    side: int
    """`OLD` or `NEW`."""


def turns(round_: int, pairs: int, seed: int) -> list[Turn]:
    """Return the slices of one round, the dropped pair first."""
    dice = random.Random(f"{seed}|{round_}")  # noqa: S311 - an order, no secret
    found: list[Turn] = []
    for pair in range(pairs + 1):
        first = dice.choice((OLD, NEW))
        found += [Turn(round_, pair, first), Turn(round_, pair, 1 - first)]
    return found


def starts(round_: int, seed: int) -> tuple[int, int]:
    """Return which side is started first in a round."""
    first = random.Random(f"{seed}|start|{round_}").choice((OLD, NEW))  # noqa: S311
    return first, 1 - first
