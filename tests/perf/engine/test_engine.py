"""The engine on servers whose behaviour is known: each request once, each end in the figures."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from choirbook_perf import engine, planner
from choirbook_perf.engine import ClosedLoad, Load, OpenLoad
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured, Progress
from choirbook_perf.results import RateStage
from choirbook_perf.scenario import Scenario, Task
from tests.perf.processes import DEADLINE_S, command
from tests.perf.truth.apparatus import TruthServer, truth_server
from tests.perf.truth.runs import scenario_file
from tests.perf.truth.starving import generator_pid
from tests.support.waiting import eventually_sync

SCENARIO = Scenario(
    name="truth", tasks=(Task(name="doc", resources=("/doc",)),), think_time_s=(0.01, 0.02), projects=("p",)
)


def plan_of(server: TruthServer) -> Plan:
    return planner.make_plan(server.url, "http", "auto", SCENARIO)


def at_rate(rate: float, seconds: float = 1.0, max_in_flight: int = 1000) -> OpenLoad:
    return OpenLoad(stages=(RateStage(seconds, rate),), warm_up_s=0, max_in_flight=max_in_flight)


def measured(plan: Plan, load: Load, drain_s: float = 2.0, timeout_s: float = 30.0) -> Measured:
    made, is_partial = engine.run(plan, load, with_floor=False, drain_s=drain_s, timeout_s=timeout_s)
    assert not is_partial
    return made


def responses(made: Measured) -> LatencyHistogram:
    return LatencyHistogram(pair for series in made.series for pair in series.counts)


def failed(made: Measured) -> int:
    return sum(series.failures for series in made.series)


def reasons(made: Measured) -> dict[str, int]:
    return {failure.reason: failure.count for failure in made.failures}


def test_each_request_is_sent_once_and_no_lost_one_is_repeated(tmp_path: Path) -> None:
    with truth_server(tmp_path, "drop-kept", "every=10", "calm=5") as server:
        plan = plan_of(server)
        made = measured(plan, at_rate(200))
        records = server.records()
    probed = len(records) - len(responses(made))
    assert len(responses(made)) == 200
    assert 0 < probed < 10
    assert failed(made) == sum(record.did == "dropped" for record in records)
    assert set(reasons(made)) == {"the connection was closed without an answer"}


def test_requests_without_an_answer_are_in_the_percentiles(tmp_path: Path) -> None:
    with truth_server(tmp_path, "hang", "from_s=1") as server:
        plan = plan_of(server)
        made = measured(plan, at_rate(100, 2), drain_s=0.5)
        held = sum(record.did == "held" for record in server.records())
    assert held > 50
    assert made.generator.open_at_end == failed(made) == held
    assert reasons(made) == {"no answer before the end of the run": held}
    # A lower bound: the time from when each was due to the end.
    assert responses(made).percentile_ms(99) >= 500


def test_a_request_is_given_up_after_its_timeout(tmp_path: Path) -> None:
    with truth_server(tmp_path, "hang", "from_s=0.2") as server:
        plan = plan_of(server)
        made = measured(plan, ClosedLoad(users=2, run_time_s=3, spawn_rate=100, warm_up_s=0), timeout_s=1)
    assert reasons(made)["no answer within 1 s"] >= 2
    assert responses(made).max_ms() >= 1000


@pytest.mark.parametrize(
    ("mode", "did", "reason"),
    [
        ("cut", "cut", "the connection was reset in the middle of the answer"),
        ("wrong", "wrong", "the content differs from what the probe read, at the same length"),
        ("error", "error", "status 500"),
    ],
)
def test_each_kind_of_failure_is_counted_and_named(mode: str, did: str, reason: str, tmp_path: Path) -> None:
    with truth_server(tmp_path, mode, "every=7", "calm=5") as server:
        made = measured(plan_of(server), at_rate(200))
        wrong = sum(record.did == did for record in server.records())
    assert wrong > 10
    assert reasons(made) == {reason: wrong}


def test_a_server_that_is_gone_is_named_with_every_request(tmp_path: Path) -> None:
    with truth_server(tmp_path, "kill", "from_s=0.5") as server:
        made = measured(plan_of(server), at_rate(100, 1.5))
    assert len(responses(made)) == 150
    assert reasons(made)["cannot connect: Connection refused"] > 50


def test_a_connection_that_the_server_closes_is_replaced(tmp_path: Path) -> None:
    with truth_server(tmp_path, "drop", "every=1000000", "calm=0") as server:
        made = measured(plan_of(server), at_rate(100, 0.5))
    assert failed(made) == 0
    assert made.generator.connections_opened == 50


def test_latencies_are_measured_from_when_a_request_was_due(tmp_path: Path) -> None:
    with truth_server(tmp_path, "stall", "for_s=0.5", "every_s=1", "ms=1") as server:
        made = measured(plan_of(server), at_rate(200, 2))
    # Half of all requests come in a stall, and wait for its end.
    assert 200 < responses(made).percentile_ms(75) < 320
    assert failed(made) == 0


def test_users_who_are_held_back_are_corrected_for(tmp_path: Path) -> None:
    with truth_server(tmp_path, "stall", "for_s=0.3", "every_s=1", "ms=1") as server:
        made = measured(plan_of(server), ClosedLoad(users=3, run_time_s=3, spawn_rate=100))
    corrected = LatencyHistogram(pair for series in made.series for pair in series.judged_counts)
    assert responses(made).percentile_ms(95) < 100 < corrected.percentile_ms(95)
    assert made.generator.held_back == len(corrected) - len(responses(made)) > 50
    assert any("held back" in warning for warning in made.generator.warnings)


def test_requests_beyond_the_most_under_way_are_counted_and_not_sent(tmp_path: Path) -> None:
    with truth_server(tmp_path, "fixed", "ms=500") as server:
        made = measured(plan_of(server), at_rate(100, 1, max_in_flight=10))
    assert made.generator.unsent + len(responses(made)) == 100
    assert made.generator.unsent >= 70
    assert any("--max-in-flight" in warning for warning in made.generator.warnings)


def test_ramp_and_warm_up_are_not_in_the_series(tmp_path: Path) -> None:
    with truth_server(tmp_path, "null") as server:
        made = measured(plan_of(server), ClosedLoad(users=4, run_time_s=1, spawn_rate=8, warm_up_s=0.5))
    kinds = [phase.kind for phase in made.phases]
    assert kinds == ["ramp", "warm-up", "measured"]
    assert [phase.duration_s for phase in made.phases] == [0.375, 0.5, 1.0]
    assert made.phases[2].requests == len(responses(made)) > 0
    assert all(phase.requests for phase in made.phases)


def test_stages_are_phases_with_their_own_percentiles(tmp_path: Path) -> None:
    with truth_server(tmp_path, "null") as server:
        load = OpenLoad(stages=(RateStage(1, 50), RateStage(0.5, 200)), warm_up_s=0.5)
        made = measured(plan_of(server), load)
    assert [(phase.name, phase.rate, phase.requests) for phase in made.phases] == [
        ("warm-up", 50, 25),
        ("stage 1", 50, 50),
        ("stage 2", 200, 100),
    ]
    assert len(responses(made)) == 150


def test_the_floor_is_measured_before_the_load(tmp_path: Path) -> None:
    with truth_server(tmp_path, "null") as server:
        made, _ = engine.run(plan_of(server), at_rate(300, 0.5))
    floor = made.generator.floor
    assert floor is not None
    assert (floor.rate, floor.requests) == (300, 300)
    assert 0 < floor.p50_ms <= floor.p95_ms <= floor.p99_ms


def test_an_interrupt_ends_the_load_with_what_was_measured(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.second == 2:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with truth_server(tmp_path, "null") as server:
            made, is_partial = engine.run(
                plan_of(server), at_rate(50, 600), watch=interrupt, with_floor=False
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert is_partial
    assert 90 <= len(responses(made)) < 500
    assert made.duration_s == pytest.approx(len(responses(made)) / 50, abs=0.2)


@contextmanager
def _saying(words: bytes) -> Iterator[str]:
    """Run a server that says the same to everybody who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(words)
            except OSError:
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"SSH-2.0-x\r\n", "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", "the connection was closed in the middle"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "more bytes came"),
        (b"", "the connection was closed without an answer"),
    ],
)
def test_what_is_no_response_is_a_failure(words: bytes, reason: str, tmp_path: Path) -> None:
    with truth_server(tmp_path, "null") as server:
        plan = plan_of(server)
    with _saying(words) as url:
        task = plan.tasks[0]
        operation = task.operations[0]
        there = msgspec.structs.replace(operation, request=operation.request._replace(url=f"{url}/doc"))
        moved = msgspec.structs.replace(
            plan, url=url, tasks=(msgspec.structs.replace(task, operations=(there,)),)
        )
        made = measured(moved, at_rate(20, 0.5))
    assert failed(made) == 10
    assert all(told.startswith(reason) for told in reasons(made))


def test_a_run_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    with truth_server(tmp_path, "null") as server, scenario_file() as scenario:
        run = subprocess.Popen(
            command("test", "--url", server.url, "--scenario", scenario, "--rate", "20", "--out", tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        generator = eventually_sync(lambda: _engine_of(run.pid), DEADLINE_S)
        assert generator is not None
        run.kill()
        run.wait()
        eventually_sync(lambda: _has_ended(generator), DEADLINE_S)


def _engine_of(pid: int) -> int | None:
    try:
        return generator_pid(pid)
    except AssertionError:
        return None  # not yet


def _has_ended(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"  # in a container nobody may wait for it
