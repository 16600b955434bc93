"""The truth server and the independent client agree on what happened: otherwise they could judge nobody."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.perf.truth import log
from tests.perf.truth.apparatus import Sample, latencies_ms, percentile, reference_client, truth_server
from tests.perf.truth.log import Record
from tests.perf.truth.modes import MODES, Arrival, Bimodal, Queue, Stall, make_mode
from tests.support.waiting import eventually_sync

_OUTCOMES = {
    "ok": "answered",
    "closed": "dropped",
    "ECONNRESET": "cut",
    "cut": "cut",
    "status 500": "error",
    "status 401": "error",
    "status 302": "redirected",
    "open": "held",
}


def both(directory: Path, mode: str, *options: str, requests: int = 150) -> tuple[list[Sample], list[Record]]:
    """Return what the client and the server say of some requests."""
    with (
        truth_server(directory, mode, *options) as server,
        reference_client(directory, server.url + log.REFERENCE, 200, patience_s=0.5) as client,
    ):
        eventually_sync(lambda: server.log_file.read_bytes().count(b"\n") >= requests)
        return client.samples(), server.records(log.REFERENCE)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("null", ()),
        ("fixed", ("ms=5",)),
        ("trickle", ("ms=10",)),
        ("hang", ("from_s=0.3",)),
        ("drop", ()),
        ("drop-kept", ()),
        ("cut", ()),
        ("error", ("status=302",)),
    ],
)
def test_the_client_sees_what_the_server_says_that_it_did(
    mode: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    samples, records = both(tmp_path, mode, *options)
    seen = Counter(_OUTCOMES[sample.outcome] for sample in samples)
    assert seen == Counter(record.did for record in records)
    assert len(seen) == (1 if mode in {"null", "fixed", "trickle"} else 2)


@pytest.mark.parametrize(("mode", "what"), [("wrong", "wrong"), ("longer", "longer")])
def test_a_body_that_is_not_the_document_is_noticed(mode: str, what: str, tmp_path: Path) -> None:
    samples, records = both(tmp_path, mode, "every=10")
    wrong = sum(record.did == what for record in records)
    assert wrong == sum(sample.outcome == "wrong" for sample in samples) > 10


def test_all_faults_come_in_turns(tmp_path: Path) -> None:
    _, records = both(tmp_path, "mixed", requests=200)
    assert {record.did for record in records} == {
        *("answered", "wrong", "longer", "dropped", "cut", "error", "redirected")
    }


def test_a_server_that_kills_itself_leaves_a_complete_log(tmp_path: Path) -> None:
    with (
        truth_server(tmp_path, "kill", "from_s=0.5") as server,
        reference_client(tmp_path, server.url + log.REFERENCE, 200, patience_s=0.5) as client,
    ):
        assert server.process.wait(10) == -9
        samples, records = client.samples(), server.records(log.REFERENCE)
    answered = sum(sample.outcome == "ok" for sample in samples)
    assert answered == sum(record.did == "answered" for record in records) > 50


def test_no_response_comes_before_its_time(tmp_path: Path) -> None:
    samples, records = both(tmp_path, "fixed", "ms=20")
    assert min(record.service_s for record in records) >= 0.02
    assert min(latencies_ms(samples, time.time())) >= 20


def test_every_mode_serves_the_requests_of_a_probe() -> None:
    for name in MODES:
        mode = make_mode(name)
        acts = [mode.act(Arrival(0.01 * number, number, number)) for number in range(1, 20)]
        assert {act.what for act in acts} == {"answered"}, name


def test_a_mode_without_such_an_option_is_refused() -> None:
    with pytest.raises(KeyError):
        make_mode("fixed", ["seconds=5"])


def test_a_stall_answers_at_its_end() -> None:
    stall = Stall(for_s=2, every_s=10, ms=5)
    assert stall.act(Arrival(7.0, 1, 1)).due_s == pytest.approx(7.005)
    assert stall.act(Arrival(8.5, 2, 1)).due_s == pytest.approx(10)
    assert stall.act(Arrival(19.0, 3, 1)).due_s == pytest.approx(20)


def test_a_queue_serves_one_request_after_the_other() -> None:
    queue = Queue(ms=2)
    due_s = [queue.act(Arrival(at_s, 1, 1)).due_s for at_s in (0.0, 0.0, 0.001, 0.1)]
    assert due_s == pytest.approx([0.002, 0.004, 0.006, 0.102])


def test_the_order_of_slow_responses_repeats_itself() -> None:
    first, second = Bimodal(), Bimodal()
    arrivals = [Arrival(0.0, number, 1) for number in range(500)]
    slow = [first.act(arrival).due_s > 0.01 for arrival in arrivals]
    assert slow == [second.act(arrival).due_s > 0.01 for arrival in arrivals]
    assert 70 <= sum(slow) <= 130


def test_a_percentile_is_the_value_at_its_rank() -> None:
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7], 99) == 7
