import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from choirbook_perf import choirbook_server
from choirbook_perf.closedloop import encoded, loading
from choirbook_perf.errors import BadInput, PerfError, ServerUnreachable, ToolMissing
from choirbook_perf.http_client import fetch
from choirbook_perf.plots import flame
from choirbook_perf.profiling.load import load_of
from choirbook_perf.profiling.native_stacks import GRANIAN, INTERPRETER, KERNEL
from choirbook_perf.profiling.profiler import (
    NATIVE_SPEEDSCOPE_NAME,
    NATIVE_SVG_NAME,
    RESULT_NAME,
    SPEEDSCOPE_NAME,
    SVG_NAME,
)
from choirbook_perf.profiling.profiles import Profile
from choirbook_perf.profiling.pyspy import failure_of, find_py_spy
from choirbook_perf.profiling.stacks import decode_speedscope, shares_of, stacks_of
from choirbook_perf.profiling.tables import tables_of
from choirbook_perf.targets import HttpTarget, McpTarget
from tests.support.waiting import eventually_sync

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "choirbook", "perf", "profile")
LOADED = "choirbook/mcp/messages.py:decode"


def profile(
    *arguments: str | Path, before: tuple[str, ...] = (), path: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [*before, *COMMAND, *map(str, arguments)]
    environment = os.environ | ({"PATH": path} if path else {})
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


def profile_in(out: Path) -> Profile:
    return msgspec.json.decode((out / RESULT_NAME).read_bytes(), type=Profile)


@contextmanager
def program(source: str) -> Iterator[int]:
    """Run a Python program that prints a line when it is at work; yields its process id."""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[choirbook_server.ChoirbookServer]:
    with (
        tempfile.TemporaryDirectory() as scratch,
        choirbook_server.running(Path(scratch) / "log", [], {}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Profile, str]:
    out = tmp_path_factory.mktemp("profile")
    done = profile("--duration", "2", "--native", "--memory", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, profile_in(out), done.stdout


def test_the_ten_slowest_functions_are_of_the_server_under_load(profiled: tuple[Path, Profile, str]) -> None:
    sampling = profiled[1].sampling
    assert sampling is not None
    assert len(sampling.slowest) == 10
    assert sampling.requests > 0
    assert sampling.samples > 0
    assert any(share.function.startswith("choirbook/") for share in sampling.slowest)
    assert all(0 <= share.own <= share.cumulative <= 1 for share in sampling.slowest)


def test_a_flame_graph_and_a_speedscope_file_are_written(profiled: tuple[Path, Profile, str]) -> None:
    out = profiled[0]
    assert "<svg" in (out / SVG_NAME).read_text()
    shares = shares_of(stacks_of(decode_speedscope((out / SPEEDSCOPE_NAME).read_bytes())))
    assert "choirbook/servers/rsgi/server.py:RsgiServer._answer" in {share.function for share in shares}


def test_flame_graph_and_table_are_of_one_recording(profiled: tuple[Path, Profile, str]) -> None:
    sampling = profiled[1].sampling
    assert sampling is not None
    boxes = flame.parse((profiled[0] / SVG_NAME).read_text())
    assert boxes[0].samples == sampling.samples
    drawn = {one.name: one for one in flame.functions(boxes)}
    for share in sampling.slowest:
        assert drawn[share.function].own == pytest.approx(share.own, abs=1e-3)
        assert drawn[share.function].cumulative == pytest.approx(share.cumulative, abs=1e-3)


def test_the_profile_says_how_much_cpu_time_it_does_not_show(profiled: tuple[Path, Profile, str]) -> None:
    out, result, told = profiled
    sampling = result.sampling
    assert sampling is not None
    assert sampling.cpu.user_s > 0
    assert sampling.cpu.system_s > 0
    assert 0 < sampling.residual < 1
    assert sampling.cpu_us_per_request is not None
    row = f"not in Python frames: kernel and native, {sampling.residual:.1%}"
    # In the table of stages, with its share of the time of a request; and on the graph itself.
    (line,) = [line for line in told.splitlines() if line.startswith(f"under load: {row}")]
    us = float(line.removeprefix(f"under load: {row}").split()[0])
    assert us == pytest.approx(sampling.cpu_us_per_request * sampling.residual, abs=0.01)
    assert f"kernel and native, {sampling.residual:.1%}" in (out / SVG_NAME).read_text()


def test_the_time_is_told_in_which_the_interpreters_lock_was_held(
    profiled: tuple[Path, Profile, str],
) -> None:
    sampling = profiled[1].sampling
    assert sampling is not None
    (worker,) = sampling.locks
    assert 0 < worker.held <= 1
    assert worker.held == pytest.approx(sampling.samples / (sampling.duration_s * sampling.rate_hz))
    assert f"Python's lock was held {worker.held:.1%} of the time." in profiled[2]


def test_native_code_is_shown_or_the_reason_why_not(profiled: tuple[Path, Profile, str]) -> None:
    out, result, told = profiled
    assert result.native is not None
    if result.native.problem:
        # Where perf is not allowed, as on most hosted runners.
        assert f"No native profile: {result.native.problem}" in told
        assert "apt-get install" in result.native.problem or "sysctl" in result.native.problem
        return
    shares = {each.component: each.own for each in result.native.components}
    assert shares.keys() > {GRANIAN, INTERPRETER}
    assert (KERNEL in shares) == result.native.has_kernel
    assert sum(shares.values()) == pytest.approx(1)
    boxes = flame.parse((out / NATIVE_SVG_NAME).read_text())
    assert boxes[0].samples == result.native.samples
    drawn = {one.name: one.own for one in flame.functions(boxes)}
    assert all(drawn[share.function] == pytest.approx(share.own, abs=2e-3) for share in result.native.slowest)
    assert json.loads((out / NATIVE_SPEEDSCOPE_NAME).read_text())["profiles"][0]["samples"]


def test_allocations_are_told_by_function(profiled: tuple[Path, Profile, str]) -> None:
    memory = profiled[1].memory
    assert memory is not None
    assert (memory.since, [one.process for one in memory.processes]) == ("start", ["server", "worker 1"])
    assert memory.requests > 0
    for process in memory.processes:
        assert 0 < process.peak_bytes <= process.allocated_bytes
        assert process.functions[0].peak_bytes > 0
    functions = [one.function for one in memory.processes[1].functions]
    assert any(function.startswith("choirbook/") for function in functions)
    assert "worker 1: " in profiled[2]


def test_no_file_names_a_place_of_this_machine(profiled: tuple[Path, Profile, str]) -> None:
    for path in profiled[0].iterdir():
        text = path.read_text()
        assert str(CHECKOUT) not in text
        assert str(Path(sys.prefix)) not in text
        assert str(profiled[0]) not in text


def test_every_stage_has_a_figure(profiled: tuple[Path, Profile, str]) -> None:
    stages = {(stage.path, stage.stage) for stage in profiled[1].stages}
    assert {
        ("hit", "decode"),
        ("hit", "look-up"),
        ("hit", "send"),
        ("miss", "open"),
        ("miss", "digest"),
    } <= stages


def test_a_person_gets_tables(profiled: tuple[Path, Profile, str]) -> None:
    assert "the 10 slowest Python functions" in profiled[2]
    assert "hit: splice" in profiled[2]


def test_a_running_server_is_profiled_by_its_pid_and_without_perf_in_python_only(
    server: choirbook_server.ChoirbookServer, tmp_path: Path
) -> None:
    done = profile(
        "--pid", str(server.pid), "--url", server.url, "--protocol", "mcp", "--duration", "1",
        "--all-threads", "--native", "--json", "--out", tmp_path, path=str(tmp_path / "empty"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sampling"]["all_threads"]
    assert told["sampling"]["requests"] > 0
    assert "protocol mcp" in told["sampling"]["load"]
    assert server_answers(server)
    assert told["sampling"]["samples"] > 0
    assert told["native"]["samples"] == 0
    assert "No native profile: perf is not installed." in done.stderr
    assert "apt-get install linux-perf" in told["native"]["problem"]
    assert not (tmp_path / NATIVE_SVG_NAME).exists()


def server_answers(server: choirbook_server.ChoirbookServer) -> bool:
    with load_of(server.url, "http") as load:
        return bool(load.requests)


def test_without_a_url_a_running_server_gets_no_load(
    server: choirbook_server.ChoirbookServer, tmp_path: Path
) -> None:
    ended = threading.Event()

    def read() -> None:
        # A server at rest has nothing to sample; this is somebody else's load.
        while not ended.is_set():
            fetch(HttpTarget(server.url).read("/mcp/resources/sdlc/core"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = profile("--pid", str(server.pid), "--duration", "1", "--json", "--out", tmp_path)
    finally:
        ended.set()
        reader.join()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sampling"]["load"] == ""
    assert told["sampling"]["cpu_us_per_request"] is None
    # It was started as Choirbook's command, which is how it is known without a URL.
    assert told["stages"]


KERNEL_TIME = """
import io
zeros, buffer = io.FileIO("/dev/zero"), bytearray(1 << 22)
print(flush=True)
while True:
    zeros.readinto(buffer)
"""

PYTHON_TIME = """
print(flush=True)
def spin():
    while True:
        pass
spin()
"""


def test_time_in_the_kernel_is_not_called_python(tmp_path: Path) -> None:
    with program(KERNEL_TIME) as pid:
        done = profile("--pid", str(pid), "--duration", "1", "--native", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = profile_in(tmp_path)
    assert result.sampling is not None
    assert result.sampling.residual > 0.8
    assert result.native is not None
    if result.native.has_kernel:
        assert result.native.components[0].component == KERNEL
        assert result.native.components[0].own > 0.8
    # These are not Choirbook's.
    assert result.stages == []
    assert "No stages are shown" in done.stdout


def test_time_in_python_is_explained_and_holds_the_lock(tmp_path: Path) -> None:
    with program(PYTHON_TIME) as pid:
        done = profile("--pid", str(pid), "--duration", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = profile_in(tmp_path)
    assert result.sampling is not None
    assert result.sampling.residual < 0.2
    assert result.sampling.locks[0].held > 0.8
    assert result.sampling.slowest[0].function == "<string>:spin"


HALF_AND_HALF = """
import io, time
zeros, buffer = io.FileIO("/dev/zero"), bytearray(1 << 16)
print(flush=True)
while True:
    end = time.thread_time() + 0.003
    while time.thread_time() < end:
        sum(range(100))
    end = time.thread_time() + 0.003
    while time.thread_time() < end:
        zeros.readinto(buffer)
"""


def test_half_of_the_time_in_python_is_half_explained(tmp_path: Path) -> None:
    with program(HALF_AND_HALF) as pid:
        done = profile("--pid", str(pid), "--duration", "2", "--native", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = profile_in(tmp_path)
    assert result.sampling is not None
    assert 0.3 < result.sampling.residual < 0.7
    assert result.native is not None
    if result.native.has_kernel:
        # Two recordings with different tools; what the one leaves over is what the other one shows.
        (kernel,) = [each.own for each in result.native.components if each.component == KERNEL]
        assert kernel == pytest.approx(result.sampling.residual, abs=0.2)
        assert 0.8 < result.native.explained < 1.2


def test_stages_of_choirbook_are_not_shown_below_another_server(tmp_path: Path) -> None:
    with foreign() as (pid, url):
        done = profile("--pid", str(pid), "--url", url, "--duration", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = profile_in(tmp_path)
    assert result.server == "shelf 7"
    assert result.sampling is not None
    assert result.sampling.requests > 0
    assert result.stages == []
    assert "this server is another one (shelf 7)" in done.stdout
    assert "hit: splice" not in done.stdout


@contextmanager
def foreign() -> Iterator[tuple[int, str]]:
    """Run a server of another project; yields its process id and URL."""
    command = [sys.executable, "-m", "tests.perf.fastmcp_server", "3"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.terminate()


GROWING = """
import time
kept = []
def grow():
    kept.append(bytearray(1 << 20))
print(flush=True)
while True:
    grow()
    del kept[:-8]
    time.sleep(0.001)
"""


def test_memray_is_attached_to_a_running_process(tmp_path: Path) -> None:
    with program(GROWING) as pid:
        done = profile("--pid", str(pid), "--duration", "1", "--memory", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    memory = profile_in(tmp_path).memory
    assert memory is not None
    assert memory.since == "attach"
    (process,) = memory.processes
    assert process.functions[0].function == "<string>:grow"
    assert process.functions[0].peak_bytes >= 8 << 20
    assert process.functions[0].allocated_bytes > process.functions[0].peak_bytes
    assert "since memray attached, not before" in done.stdout


def test_without_permission_the_native_profile_says_what_is_missing(tmp_path: Path) -> None:
    # Root may sample everything, unless it is without these capabilities.
    dropped = "-perfmon,-sys_admin"
    without = ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}") if os.geteuid() == 0 else ()
    with program(PYTHON_TIME) as pid:
        done = profile("--pid", str(pid), "--duration", "1", "--native", "--out", tmp_path, before=without)
    assert done.returncode == 0, done.stderr
    result = profile_in(tmp_path)
    assert result.sampling is not None
    assert result.native is not None
    told = result.native.problem or result.native.note
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 2:
        assert told == "" or "seccomp" in told
    else:
        assert not result.native.has_kernel
        assert "sysctl kernel.perf_event_paranoid=1" in told or "apt-get install linux-perf" in told


@pytest.mark.parametrize("more", ["--native", "--memory"])
def test_counting_calls_does_not_go_with_a_recording(more: str, tmp_path: Path) -> None:
    done = profile("--cprofile", more, "--out", tmp_path)
    assert done.returncode == 2
    assert "Omit it" in done.stderr


def test_calls_are_counted_in_one_process(tmp_path: Path) -> None:
    done = profile("--cprofile", "--requests", "10", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    result = msgspec.json.decode((tmp_path / RESULT_NAME).read_bytes(), type=Profile)
    assert result.sampling is None
    calls = {drive.request: {each.function: each.calls for each in drive.functions} for drive in result.calls}
    assert calls["resources/read modern"][LOADED] == 10
    assert "resources/read handshake: calls per request" in done.stdout


def test_a_process_that_may_not_be_looked_at_is_said(
    server: choirbook_server.ChoirbookServer, tmp_path: Path
) -> None:
    # Root may look at all, unless it is without that capability; others may not look at the first process.
    is_root = os.geteuid() == 0
    if is_root and shutil.which("setpriv") is None:
        pytest.skip("setpriv, of util-linux, is not installed")
    without = ("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace") if is_root else ()
    done = profile("--pid", str(server.pid if is_root else 1), "--out", tmp_path, before=without)
    assert done.returncode == 6
    assert "py-spy has no permission to inspect process" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_process_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = profile("--pid", "4194304", "--out", tmp_path)
    assert done.returncode == 2
    assert "There is no process 4194304" in done.stderr


def test_a_process_without_python_is_said(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            done = profile("--pid", str(other.pid), "--out", tmp_path)
        finally:
            other.terminate()
    assert done.returncode == 2
    assert f"py-spy cannot profile process {other.pid}" in done.stderr


def test_a_url_alone_is_refused(tmp_path: Path) -> None:
    done = profile("--url", "http://127.0.0.1:1", "--out", tmp_path)
    assert done.returncode == 2
    assert "--url needs --pid" in done.stderr


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = profile("--out", tmp_path / "file" / "out")
    assert done.returncode == 7


def test_a_missing_py_spy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match=r"pip install 'choirbook\[perf\]'"):
        find_py_spy([tmp_path])


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("Error: Permission denied (os error 13)", ToolMissing),
        ("Error: Operation not permitted (os error 1)", ToolMissing),
        ("Caused by: No such file or directory (os error 2)", BadInput),
        ("Error: Failed to find python version from target process", BadInput),
        ("", BadInput),
    ],
)
def test_what_py_spy_says_has_a_meaning(told: str, kind: type[PerfError]) -> None:
    error = failure_of(7, told)
    assert type(error) is kind
    assert "7" in error.message


def test_the_load_asks_over_and_over(server: choirbook_server.ChoirbookServer) -> None:
    before = hits(server)
    with load_of(server.url, "all") as load, loading(load.requests, connections=2) as counts:
        eventually_sync(lambda: hits(server) >= before + 100, deadline_s=20)
    assert counts[0].answered >= 100
    assert counts[0].failed == 0


def hits(server: choirbook_server.ChoirbookServer) -> float:
    text = fetch(HttpTarget(server.url).read("/metrics")).body.decode()
    found = [line for line in text.splitlines() if line.startswith("mcp_resource_cache_hits_total")]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_a_load_that_nobody_answers_is_said() -> None:
    request = HttpTarget("http://127.0.0.1:1").read("/")
    with pytest.raises(ServerUnreachable), loading([request], connections=1):
        pass


def test_a_request_goes_over_the_wire_whole() -> None:
    request = McpTarget("http://127.0.0.1:8000/mcp?x=1", "modern").read("mcp://resources/a")
    head, _, body = encoded(request).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /mcp?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["params"]["uri"] == "mcp://resources/a"


def test_tables_of_nothing_are_empty(profiled: tuple[Path, Profile, str]) -> None:
    nothing = msgspec.structs.replace(
        profiled[1], sampling=None, native=None, memory=None, stages=[], calls=[]
    )
    assert tables_of(nothing) == ""
