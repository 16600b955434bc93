"""Promises 3 and 4 under load: no torn read and no going back, whatever writers do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose, path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import Summary, describe, loading
from tests.faults.writing import Rewrite, Writer, emptied, replaced, torn, writing
from tests.support.servers import wait_for

SECONDS = 60.0 if IS_WHOLE else 3.0
QUIET_S = 0.05
"""For how long a file has to be quiet before it is believed: promise 4."""


def run(serve: Serve, root: Path, rewrite: Rewrite, every_s: float) -> tuple[Summary, Writer]:
    """Load two workers while a writer rewrites what they serve, in turns."""
    with serve(workers=2) as server, loading(server.port, NAMES, rate_per_s=150) as load:
        with writing(root, NAMES, rewrite, every_s) as writer:
            end_s = time.monotonic() + SECONDS
            wait_for(lambda: time.monotonic() > end_s, "the load has run", SECONDS + 10)
        return load.finish(), writer


def hold_reads(figures: Figures, fault: str, summary: Summary, wrong: int) -> None:
    figures.hold(4, fault, "failed or wrong reads", wrong, "reads", at_most=0, why=describe(summary))
    figures.tell(4, fault, "verified reads", summary.requests, "reads")


def tell_freshness(figures: Figures, fault: str, summary: Summary, writer: Writer) -> None:
    staleness_ms = sorted(summary.staleness_ms(writer.published_s))
    p99_ms = staleness_ms[int(0.99 * (len(staleness_ms) - 1))]
    figures.hold(3, fault, "old content given out after a change, p99", p99_ms, "ms", at_most=1000)
    figures.tell(3, fault, "changes", len(staleness_ms), "changes")


def test_atomic_replacement_is_never_torn(serve: Serve, root: Path, figures: Figures) -> None:
    summary, writer = run(serve, root, replaced, every_s=0.05)

    fault = "files replaced by rename in a loop"
    assert min(len(seen) for seen in summary.sightings.values()) > 5, "readers saw the changes"
    hold_reads(figures, fault, summary, summary.count())
    tell_freshness(figures, fault, summary, writer)


def test_rewrite_in_place_is_never_torn(serve: Serve, root: Path, figures: Figures) -> None:
    summary, writer = run(serve, root, torn(pause_s=0.02), every_s=0.1)

    # A pause that a busy machine stretched to the quiet time makes a half what was written.
    excused = max(writer.paused_s.values()) >= QUIET_S
    wrong = summary.count() - (summary.count("torn") if excused else 0)
    fault = "files truncated, half written, then finished"
    hold_reads(figures, fault, summary, wrong)
    tell_freshness(figures, fault, summary, writer)


def test_file_that_is_empty_for_a_while_is_never_served_empty(
    serve: Serve, root: Path, figures: Figures
) -> None:
    summary, writer = run(serve, root, emptied(pause_s=0.4), every_s=0.1)

    fault = "files empty for 0.4 s before they are written"
    assert writer.versions > 5
    hold_reads(figures, fault, summary, summary.count())


def test_emptied_file_is_believed_after_a_second(serve: Serve, root: Path, figures: Figures) -> None:
    with serve() as server, server.client() as client:
        path = path_of(NAMES[0])
        assert client.get(path, params={"format": "raw"}).content == compose(NAMES[0], 1)
        os.truncate(root / f"{NAMES[0]}.md", 0)
        begun_s = time.monotonic()
        wait_for(lambda: client.get(path, params={"format": "raw"}).content == b"", "it is served empty")
        taken_s = time.monotonic() - begun_s

    assert taken_s >= 1.0
    figures.hold(4, "a file emptied for good", "until it was served empty", taken_s, "s", at_most=5.0)


def test_replacement_without_a_pause_is_served_in_every_form_and_never_goes_back(
    serve: Serve, root: Path, figures: Figures
) -> None:
    # Each document every 20 ms: none is ever quiet for as long as it takes to be believed.
    summary, writer = run(serve, root, replaced, every_s=0.005)

    fault = "files replaced by rename every 20 ms"
    assert min(len(seen) for seen in summary.sightings.values()) > 5, "readers saw the changes"
    hold_reads(figures, fault, summary, summary.count())
    tell_freshness(figures, fault, summary, writer)
