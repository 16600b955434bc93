"""Failures of `choirbook perf`: a line that says what is wrong, an exit code, no traceback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from choirbook_perf.delay_proxy import delayed
from choirbook_perf.errors import BadInput, ServerUnreachable
from choirbook_perf.planner import make_plan
from choirbook_perf.results import FORMAT, Result, load, save
from tests.perf.processes import DEADLINE_S, REPOSITORY, command, perf, serving
from tests.perf.samples import sample_result


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = perf("test", "--url", url, "--out", tmp_path)
    assert done.returncode == 4
    assert url in done.stderr
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize("era", ["auto", "modern", "handshake"])
def test_what_answers_is_no_mcp_server(era: str, tmp_path: Path) -> None:
    with serving("plain_server") as url:
        done = perf("test", "--url", url, "--protocol", "mcp", "--era", era, "--out", tmp_path)
    assert done.returncode == 4
    assert "MCP" in done.stderr


def test_what_answers_has_no_listing_of_resources(tmp_path: Path) -> None:
    with serving("plain_server") as url:
        done = perf("test", "--url", url, "--out", tmp_path)
    assert done.returncode == 4
    assert "--scenario" in done.stderr


def test_the_library_is_empty(tmp_path: Path) -> None:
    with serving("fastmcp_server", "0") as url:
        done = perf("test", "--url", url, "--protocol", "mcp", "--out", tmp_path)
    assert done.returncode == 5
    assert "Add documents" in done.stderr


def test_the_scenario_names_what_is_not_there(tmp_path: Path) -> None:
    scenario = tmp_path / "wrong.toml"
    scenario.write_text('name = "wrong"\n[[task]]\nname = "x"\nresources = ["no/such"]\n')
    done = perf("test", "--scenario", scenario, "--out", tmp_path)
    assert done.returncode == 2
    assert "no/such" in done.stderr


def test_the_output_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = perf("test", "--out", tmp_path / "file" / "out")
    assert done.returncode == 7
    assert "--out" in done.stderr


def test_the_library_of_its_own_choirbook_is_not_there(tmp_path: Path) -> None:
    done = perf("test", "--library", tmp_path / "none", "--out", tmp_path)
    assert done.returncode == 2
    assert "did not start" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--url", "nonsense"),
        ("--url", "ftp://127.0.0.1"),
        ("--run-time", "soon"),
        ("--think-time", "5-1"),
        ("--scenario", "missing.toml"),
        ("--slo", "missing.toml"),
        ("--users", "0"),
        ("--users", "many"),
        ("--protocol", "gopher"),
        ("--no-such-option",),
        ("--master",),
        ("--worker",),
        ("--master", "--processes", "2", "--url", "http://127.0.0.1:1"),
    ],
)
def test_options_that_cannot_be_used(options: tuple[str, ...], tmp_path: Path) -> None:
    done = perf("test", *options, "--out", tmp_path, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr


def test_ctrl_c_keeps_what_was_measured_marked_partial(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("test", "--users", "4", "--spawn-rate", "10", "--run-time", "10m", "--out", tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # The first line of progress comes after ten seconds of load.
    assert "users" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in told
    result = load(tmp_path / "result.json")
    assert result.is_partial
    assert result.requests() > 0
    assert process.returncode in {0, 1, 3}


def _saved(path: Path, result: Result) -> Path:
    save(result, path)
    return path


def test_compare_refuses_a_result_of_another_format(tmp_path: Path) -> None:
    good = _saved(tmp_path / "good.json", sample_result([1.0] * 400))
    document = json.loads(good.read_bytes()) | {"format": FORMAT + 1}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    done = perf("compare", good, other)
    assert done.returncode == 2
    assert "format" in done.stderr


def test_compare_refuses_a_result_of_another_machine_unless_asked(tmp_path: Path) -> None:
    here = sample_result([1.0] * 400)
    elsewhere = msgspec.structs.replace(
        here, environment=msgspec.structs.replace(here.environment, machine="other")
    )
    pair = _saved(tmp_path / "here.json", here), _saved(tmp_path / "elsewhere.json", elsewhere)
    refused = perf("compare", *pair)
    assert refused.returncode == 2
    assert "--despite" in refused.stderr
    assert perf("compare", "--despite", "machine", *pair).returncode == 3


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"format": 1}', b"\xff\x00"])
def test_compare_refuses_what_is_no_result(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "no.json"
    if content is not None:
        path.write_bytes(content)
    assert perf("compare", path, path).returncode == 2


def test_without_the_extra_choirbook_perf_says_what_to_install(tmp_path: Path) -> None:
    # Only Choirbook itself can be imported, as where its extra was left out.
    program = (
        "import sys\n"
        "sys.modules['choirbook_perf.cli'] = None\n"
        "sys.argv = ['choirbook', 'perf', 'test']\n"
        "from choirbook.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6
    assert "pip install 'choirbook[perf]'" in done.stderr


def test_locust_itself_cannot_start(tmp_path: Path) -> None:
    with serving("sdk_server", "json") as url, socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104
        port = str(taken.getsockname()[1])
        options = ("--url", url, "--protocol", "mcp", "--master", "--master-port", port)
        done = perf("test", *options, "--out", tmp_path)
    assert done.returncode == 6
    assert "Locust ended with" in done.stderr


@contextmanager
def _saying(words: bytes) -> Iterator[str]:
    """Run a server that says the same to everybody who connects."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1)
                        connection.sendall(words)

        thread = Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("words", [b"SSH-2.0-x\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"])
def test_what_answers_does_not_speak_http(words: bytes) -> None:
    with _saying(words) as url, pytest.raises(ServerUnreachable, match=url):
        make_plan(url, "http", "auto")


def test_a_name_that_has_no_address() -> None:
    with pytest.raises(ServerUnreachable, match="its name has no address"):
        make_plan("http://no-such-host.invalid", "http", "auto")


def test_a_delay_cannot_be_injected_into_what_is_encrypted() -> None:
    with pytest.raises(BadInput, match="http://"), delayed("https://127.0.0.1", 5):
        pass


@pytest.mark.parametrize("option", ["--scenario", "--slo"])
def test_a_file_that_is_no_text(option: str, tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_bytes(b"\xff\xfe")
    done = perf("test", option, tmp_path / "file.toml", "--out", tmp_path)
    assert done.returncode == 2
    assert "UTF-8" in done.stderr


def test_the_module_can_be_run_where_choirbook_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "choirbook_perf", "--help"], capture_output=True, text=True, check=True
    )
    assert "compare" in done.stdout
