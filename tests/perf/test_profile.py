import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf import choirbook_server
from choirbook_perf.closedloop import encoded, loading
from choirbook_perf.errors import BadInput, PerfError, ServerUnreachable, ToolMissing
from choirbook_perf.http_client import fetch
from choirbook_perf.profiling.profiler import RESULT_NAME, SPEEDSCOPE_NAME, SVG_NAME, requests_for
from choirbook_perf.profiling.profiles import Profile, tables_of
from choirbook_perf.profiling.pyspy import failure_of, find_py_spy
from choirbook_perf.profiling.stacks import (
    NATIVE,
    decode_speedscope,
    shares_of,
    short_file,
    speedscope_without_places,
    svg_without_places,
)
from choirbook_perf.targets import HttpTarget, McpTarget
from tests.support.waiting import eventually_sync

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "choirbook", "perf", "profile")
LOADED = "choirbook/mcp/messages.py:decode"


def profile(*arguments: str | Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, *COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


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
    done = profile("--duration", "2", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, msgspec.json.decode((out / RESULT_NAME).read_bytes(), type=Profile), done.stdout


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
    functions = {
        share.function for share in shares_of(decode_speedscope((out / SPEEDSCOPE_NAME).read_bytes()))
    }
    assert "choirbook/servers/rsgi/server.py:RsgiServer._answer" in functions


def test_no_file_names_a_place_of_this_machine(profiled: tuple[Path, Profile, str]) -> None:
    for name in (SVG_NAME, SPEEDSCOPE_NAME, RESULT_NAME):
        text = (profiled[0] / name).read_text()
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
    assert "the 10 slowest functions" in profiled[2]
    assert "hit: splice" in profiled[2]


def test_a_running_server_is_profiled_by_its_pid(
    server: choirbook_server.ChoirbookServer, tmp_path: Path
) -> None:
    done = profile(
        "--pid", str(server.pid), "--url", server.url, "--protocol", "mcp", "--duration", "1",
        "--all-threads", "--json", "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sampling"]["all_threads"]
    assert told["sampling"]["requests"] > 0
    assert "protocol mcp" in told["sampling"]["load"]
    assert server_answers(server)


def server_answers(server: choirbook_server.ChoirbookServer) -> bool:
    return bool(requests_for(server.url, "http"))


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
    assert json.loads(done.stdout)["sampling"]["load"] == ""


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
    with loading(requests_for(server.url, "all"), connections=2) as counts:
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


frames = st.lists(
    st.fixed_dictionaries(
        {"name": st.text(min_size=1, max_size=4), "file": st.sampled_from(["", "/a/src/b.py", "c.py"])}
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def speedscopes(draw: st.DrawFn) -> bytes:
    known = draw(frames)
    stack = st.lists(st.integers(0, len(known) - 1), max_size=5)
    samples = draw(st.lists(stack, min_size=1, max_size=10))
    weights = draw(st.lists(st.floats(0.001, 1), min_size=len(samples), max_size=len(samples)))
    return json.dumps(
        {"shared": {"frames": known}, "profiles": [{"samples": samples, "weights": weights}]}
    ).encode()


@given(speedscopes())
def test_own_shares_add_up_to_one(data: bytes) -> None:
    shares = shares_of(decode_speedscope(data))
    assert sum(share.own for share in shares) == pytest.approx(1)
    assert all(share.own <= share.cumulative + 1e-9 for share in shares)
    assert all(share.cumulative <= 1 + 1e-9 for share in shares)
    assert [share.own for share in shares] == sorted((share.own for share in shares), reverse=True)


def test_stacks_without_a_python_frame_are_native() -> None:
    process = {"name": 'process 7:"/opt/x/bin/python choirbook"', "file": ""}
    data = {"shared": {"frames": [process]}, "profiles": [{"samples": [[0], []], "weights": [1, 1]}]}
    assert [share.function for share in shares_of(decode_speedscope(json.dumps(data).encode()))] == [NATIVE]
    assert b"/opt/x" not in speedscope_without_places(json.dumps(data).encode())


def test_what_is_no_speedscope_file_is_said() -> None:
    with pytest.raises(BadInput, match="speedscope"):
        decode_speedscope(b"{}")


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/x/y/.venv/lib/python3.11/site-packages/granian/server/mp.py", "granian/server/mp.py"),
        ("/x/checkout/src/choirbook/app.py", "choirbook/app.py"),
        ("/usr/lib/python3.11/asyncio/base.py", "asyncio/base.py"),
        ("/x/bin/choirbook", "choirbook"),
        ("granian/server/mp.py", "granian/server/mp.py"),
    ],
)
def test_a_source_file_loses_its_place(file: str, short: str) -> None:
    assert short_file(file) == short


def test_a_flame_graph_loses_its_command_lines() -> None:
    text = '<text id="title" x="1">/opt/x/py-spy</text><title>process 7:&quot;/opt/x/python&quot; (3 samples)'
    assert (
        svg_without_places(text)
        == '<text id="title" x="1">choirbook perf profile</text><title>process 7 (3 samples)'
    )


def test_tables_of_nothing_are_empty(profiled: tuple[Path, Profile, str]) -> None:
    assert tables_of(msgspec.structs.replace(profiled[1], sampling=None, stages=[], calls=[])) == ""
