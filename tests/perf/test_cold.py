import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from choirbook_perf.cold import Cold, FirstRead, judge, row_of, table_of
from choirbook_perf.commands.cold import register
from choirbook_perf.errors import BadInput, EmptyLibrary, OutputFailed, PerfError
from choirbook_perf.own_server import documents_of, starter_library
from choirbook_perf.pagecache import Method, PageCache, resident_pages

QUICK = ("--rounds", "1", "--resources", "3")

PROGRAM = """
import typer
from choirbook_perf.commands.cold import register
app = typer.Typer()
app.callback()(lambda: None)
register(app)
app()
"""


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["cold", *arguments])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cold, str]:
    out = tmp_path_factory.mktemp("cold") / "deep" / "cold.json"
    result = run(*QUICK, "--out", str(out))
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(out.read_bytes(), type=Cold), result.stdout


def test_starts_are_measured_over_http_and_stdio_with_and_without_preloading(
    measured: tuple[Cold, str],
) -> None:
    starts = {(start.transport, start.preload) for start in measured[0].starts}
    assert starts == {("http", False), ("http", True), ("stdio", False)}
    assert all(ms > 0 for start in measured[0].starts for ms in start.samples_ms)


def test_every_first_read_is_a_miss_in_each_form(measured: tuple[Cold, str]) -> None:
    reads = measured[0].first_reads
    assert len(reads) == 3 * 4
    assert {read.cache_result for read in reads if read.form in {"raw", "json"}} == {"miss"}


def test_first_reads_are_of_the_disk_where_the_page_cache_can_be_emptied(measured: tuple[Cold, str]) -> None:
    cold = measured[0]
    if cold.page_cache_method != Method.NONE:
        assert not any(read.was_in_page_cache for read in cold.first_reads)
        assert cold.verdict.is_certain
    else:
        assert "could not be emptied" in cold.verdict.reason


def test_preloading_makes_hits_of_them(measured: tuple[Cold, str]) -> None:
    cold = measured[0]
    assert cold.preloading is not None
    assert cold.preloading.preloaded >= cold.resources
    assert {read.cache_result for read in cold.preloaded_reads if read.form in {"raw", "json"}} == {"hit"}


def test_steady_reads_are_what_they_are_called(measured: tuple[Cold, str]) -> None:
    assert {(each.cache_result, each.form) for each in measured[0].steady} == {
        (result, form) for result in ("hit", "miss") for form in ("raw", "modern")
    }


def test_a_person_is_told_whether_preloading_is_needed(measured: tuple[Cold, str]) -> None:
    text = measured[1]
    assert "Is preloading needed?" in text
    assert "page cache emptied by: " + measured[0].page_cache_method in text


def test_the_result_names_no_place_of_this_machine(measured: tuple[Cold, str]) -> None:
    text = msgspec.json.encode(measured[0]).decode()
    assert str(starter_library()) not in text
    assert str(Path.home()) + "/" not in text


def test_json_goes_to_stdout_and_progress_does_not(tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text("# One\n")
    os.utime(tmp_path / "one.md", (1_700_000_000, 1_700_000_000))
    result = run("--library", str(tmp_path), "--rounds", "1", "--json")
    assert json.loads(result.stdout)["kind"] == "cold"


def test_an_interrupt_keeps_what_was_measured() -> None:
    command = [sys.executable, "-c", PROGRAM, "cold", "--rounds", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "--preload" not in (line := process.stderr.readline()):
        assert line, "the command ended too soon"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    partial = json.loads(out)
    assert partial["is_partial"]
    assert [start["transport"] for start in partial["starts"]] == ["http"]
    assert partial["verdict"]["reason"] == "nothing was read"


def test_an_empty_library_is_said(tmp_path: Path) -> None:
    _fails(EmptyLibrary, 5, "--library", str(tmp_path))


def test_a_library_that_is_not_there_is_said(tmp_path: Path) -> None:
    error = _fails(BadInput, 2, "--library", str(tmp_path / "nowhere"))
    assert "nowhere" in error.message


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _fails(OutputFailed, 7, *QUICK, "--out", str(tmp_path / "file" / "cold.json"))


def _fails(kind: type[PerfError], exit_code: int, *arguments: str) -> PerfError:
    error = run(*arguments).exception
    assert isinstance(error, kind)
    assert error.exit_code == exit_code
    return error


def test_a_file_leaves_the_page_cache_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100_000)
    cache = PageCache(path)
    if cache.method is Method.NONE:
        assert resident_pages(path) > 0
        return
    assert cache.drop(path)
    path.read_bytes()
    assert resident_pages(path) > 0


def test_an_empty_file_has_no_pages(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert resident_pages(tmp_path / "empty") == 0


def test_the_starter_library_is_found_without_importing_choirbook() -> None:
    code = "import sys; from choirbook_perf.own_server import starter_library as starter; print(starter())"
    code += "; assert 'choirbook' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {document.uri for document in documents_of(Path(done.stdout.strip()))} >= {
        "mcp://resources/sdlc/core"
    }


reads_of = st.lists(
    st.builds(
        FirstRead,
        st.text(max_size=5),
        st.sampled_from(["raw", "modern"]),
        st.floats(0, 1000),
        st.sampled_from(["miss", "unknown"]),
        st.booleans(),
    ),
    max_size=20,
)


@given(reads_of, st.floats(0, 1000))
def test_preloading_is_needed_if_and_only_if_a_read_is_over_the_limit(
    reads: list[FirstRead], limit_ms: float
) -> None:
    verdict = judge(reads, limit_ms, "none")
    assert verdict.is_preloading_needed == any(read.ms > limit_ms for read in reads)
    assert verdict.over_limit == sum(read.ms > limit_ms for read in reads)
    if reads:
        assert verdict.slowest_ms == max(read.ms for read in reads)


@given(reads_of)
def test_a_no_is_certain_only_if_every_read_was_cold(reads: list[FirstRead]) -> None:
    verdict = judge(reads, math.inf, "none")
    assert not verdict.is_preloading_needed
    assert verdict.is_certain == (bool(reads) and not any(read.was_in_page_cache for read in reads))


@given(st.lists(st.floats(0.01, 10_000), min_size=1))
def test_figures_of_a_row_are_in_order(samples_ms: list[float]) -> None:
    row = row_of("reads", samples_ms)
    assert row.median_ms <= row.p95_ms <= row.max_ms
    assert row.reads == len(samples_ms)


def test_the_table_of_a_partial_result_says_so(measured: tuple[Cold, str]) -> None:
    partial = msgspec.structs.replace(
        measured[0],
        is_partial=True,
        starts=[],
        first_reads=[],
        preloaded_reads=[],
        steady=[],
        preloading=None,
    )
    assert "(partial run)" in table_of(partial)
