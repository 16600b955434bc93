import json
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.peers.rounds import Measuring, Options
from benchmarks.peers.servers import CASES, GET, PEERS, Peer, Place
from benchmarks.peers.table import table_of
from benchmarks.requests import get_json
from benchmarks.sampler import missing, text_of
from choirbook_perf.peers import Comparison, Missing, PeerSeries, Sample, rows_of

CHECKOUT = Path(__file__).resolve().parents[2]
TINY = Options(rounds=1, seconds=1, connections=10)

pytestmark = pytest.mark.timeout(300)
needs_machine = pytest.mark.skipif(bool(missing()), reason=f"cannot measure: {missing()}")


def peers(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.peers", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return Measuring(list(PEERS.values()), TINY, lambda _: None).run()


@needs_machine
def test_every_peer_that_is_installed_is_measured_with_every_request_it_answers(compared: Comparison) -> None:
    measured = {(series.peer, series.case) for series in compared.series if series.samples}
    for peer in PEERS.values():
        if not peer.lacks():
            assert {(peer.name, case.name) for case in peer.cases} <= measured, compared.missing


@needs_machine
def test_a_peer_that_is_not_installed_is_said(compared: Comparison) -> None:
    told = {each.peer: each.reason for each in compared.missing}
    for peer in PEERS.values():
        if reason := peer.lacks():
            assert told[peer.name] == reason
            assert f"not measured: {peer.name}: {reason}" in table_of(compared)


@needs_machine
def test_a_figure_stands_on_requests(compared: Comparison) -> None:
    for series in compared.series:
        for sample in series.samples:
            assert sample.requests > 0
            assert sample.cpu_us > 0
            assert sample.p50_ms <= sample.p95_ms <= sample.p99_ms
            assert sample.generator_us is not None
            assert sample.generator_us > 0
            assert sample.memory_mib is not None
            assert sample.memory_mib > 1


@needs_machine
def test_the_environment_is_beside_the_figures(compared: Comparison) -> None:
    assert compared.environment["cpu"]
    assert compared.format == 2
    assert compared.versions["choirbook"]
    assert compared.document_bytes > 19_000


@needs_machine
def test_choirbook_costs_as_much_as_itself(compared: Comparison) -> None:
    own = [row for row in rows_of(compared.series) if row.peer == "choirbook"]
    assert [row.to_choirbook for row in own] == [1.0] * len(CASES)


def _broken(place: Place) -> list[str]:
    return [sys.executable, "-c", "raise SystemExit('no document for me')"]


def _other(place: Place) -> list[str]:
    """Serve a directory: it answers, but not with the document."""
    (place.scratch / "mcp").mkdir(exist_ok=True)
    serve = [sys.executable, "-m", "http.server", str(place.port), "--bind", "127.0.0.1"]
    return [*serve, "--directory", str(place.scratch)]


@needs_machine
def test_a_peer_that_fails_does_not_end_the_run() -> None:
    chosen = [
        Peer("broken", (GET,), _broken, lambda: "", "/"),
        Peer("absent", (GET,), _broken, lambda: "not here", "/"),
        Peer("other", (GET,), _other, lambda: "", "/"),
        PEERS["floor"],
    ]
    comparison = Measuring(chosen, TINY, lambda _: None).run()
    assert {series.peer for series in comparison.series} == {"floor"}
    reasons = {each.peer: each.reason for each in comparison.missing}
    assert reasons["broken"].endswith("no document for me")
    assert reasons["absent"] == "not here"
    assert "404" in reasons["other"]


@needs_machine
def test_the_command_prints_a_table_and_writes_a_result(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "peers.json"
    done = peers(
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--connections",
        "5",
        "--peers",
        "floor,choirbook",
        "--out",
        str(out),
    )
    assert done.returncode == 0, done.stderr
    assert "x Choirbook" in done.stdout
    comparison = msgspec.json.decode(out.read_bytes(), type=Comparison)
    assert {series.case for series in comparison.series} == {case.name for case in CASES}
    assert str(CHECKOUT) not in out.read_text()


@needs_machine
def test_an_interrupt_keeps_what_was_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "--rounds", "50", "--seconds", "1"]
    command += ["--peers", "floor,choirbook", "--json"]
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    while "round 2 " not in (line := process.stderr.readline()):
        assert line, "the run ended too soon"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    partial = json.loads(out)
    assert partial["is_partial"]
    assert partial["series"][0]["samples"]


@pytest.mark.parametrize("arguments", [("--peers", "nobody"), ("--rounds", "0"), ("--seconds", "x")])
def test_a_flag_that_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    done = peers(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_document_is_found_in_every_kind_of_response() -> None:
    assert text_of(b"# Plain") == "# Plain"
    assert text_of(b'{"uri": "a", "content": "# Envelope"}') == "# Envelope"
    assert text_of(b'{"jsonrpc": "2.0", "id": 1, "result": {"contents": [{"text": "# MCP"}]}}') == "# MCP"
    tool = b'{"result": {"content": [{"type": "text", "text": "# Tool"}]}}'
    assert text_of(tool) == "# Tool"
    own = b'{"result": {"content": [{"text": "of: # Tool"}], "structuredContent": {"text": "# Tool"}}}'
    assert text_of(own) == "# Tool"
    assert text_of(b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 1}}') == ""


def test_requests_differ_in_what_they_ask_for() -> None:
    assert len({(case.headers.get("Accept"), case.body) for case in (*CASES, get_json())}) == len(CASES) + 1


def test_the_table_says_what_is_not_measured_and_leaves_out_unknown_ratios() -> None:
    comparison = Comparison(
        started="",
        environment={},
        document_bytes=20_000,
        rounds=1,
        seconds=1,
        connections=2,
        is_partial=True,
        series=[
            PeerSeries("nginx", "GET raw", [Sample(10.0, 40_000.0, 1.0, 2.0, 3.0, 500)]),
            PeerSeries("x", "GET raw", []),
        ],
        missing=[Missing("fastmcp", "", "not here"), Missing("x", "GET raw", "status 500")],
        versions={"nginx": "1.2.3"},
    )
    text = table_of(comparison)
    assert "partial" in text
    assert "not measured: fastmcp: not here" in text
    assert "not measured: x, GET raw: status 500" in text
    row = next(line for line in text.splitlines() if "nginx 1.2.3" in line)
    assert row.split()[2:5] == ["10.0"] * 3
    # Neither ratios, nor memory, nor the throughput of a server that was only 40 % busy.
    assert row.split()[5:] == ["-", "-", "-", "40", "-", "500"]
