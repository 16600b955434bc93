"""Pool of slices recorded from servers whose difference is known, and comparisons drawn from it.

Pure, but for its file. A comparison takes minutes, and its error rates show only in hundreds of them. So
slices of two kinds are recorded once: of the same server twice, and of one beside the same with 10 % more
processor time per request. A replayed comparison is judged like a real one; its rounds are consecutive in
the pool, so that whatever the machine did for minutes stays together.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.ab.judging import judge
from choirbook_perf.ab.results import Slice
from choirbook_perf.output import to_json, write_text
from choirbook_perf.results import Environment
from choirbook_perf.stats.decisions import Finding, Limits

FORMAT = 1
POOL = Path("docs/performance/ab-pool.json")
COUNTED_SLICES = 300
"""Minimum number of slices of each kind that count, for a pool to be more than a trial."""

SAME, SLOWER = "same", "slower"


class Complete(msgspec.Struct, frozen=True, kw_only=True):
    """One complete comparison that was run for real."""

    kind: str
    """`SAME` or `SLOWER`."""
    findings: list[Finding]


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded slices of both kinds."""

    format: int = FORMAT
    kind: str = "ab-pool"
    started: str
    """Start of the recording, RFC 3339, UTC."""
    environment: Environment
    load: dict[str, Any]
    loops: int
    """Additional work of the slower server per request, see `benchmarks.burdened`."""
    calibrated: float
    """Share of processor time that it costs, measured before the recording in slices of its own."""
    same: list[Slice]
    slower: list[Slice]
    complete: list[Complete] = []


def load(path: Path) -> Pool:
    """Load a pool; raises OSError or msgspec.MsgspecError."""
    return msgspec.json.decode(path.read_bytes(), type=Pool)


def save(pool: Pool, path: Path) -> None:
    """Write a pool, completely or not at all."""
    write_text(path, to_json(pool))


def counted(slices: Sequence[Slice]) -> int:
    """Return how many slices count."""
    return sum(1 for each in slices if each.pair > 0 and not each.doubt)


def replay(
    slices: Sequence[Slice], comparisons: int, rounds: int, metrics: Sequence[str], seed: int = 1
) -> list[list[Finding]]:
    """Draw comparisons, and judge each.

    Args:
        slices: Slices of one kind.
        comparisons: Number of comparisons.
        rounds: Consecutive rounds in each; the pool's end is followed by its begin.
        metrics: Metrics to judge.
        seed: Of the places where comparisons begin.
    """
    by_round: dict[int, list[Slice]] = {}
    for each in slices:
        by_round.setdefault(each.round, []).append(each)
    order = list(by_round.values())
    dice = random.Random(seed)  # noqa: S311 - an order, no secret
    found = []
    for _ in range(comparisons):
        begin = dice.randrange(len(order))
        window = [order[(begin + step) % len(order)] for step in range(min(rounds, len(order)))]
        found.append(judge([each for taken in window for each in taken], Limits(), metrics).findings)
    return found


def outcomes(replayed: Sequence[Sequence[Finding]], metric: str) -> Counter[str]:
    """Count the outcomes of a metric."""
    return Counter(each.outcome for findings in replayed for each in findings if each.metric == metric)
