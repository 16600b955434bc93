import math
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from choirbook_perf import gate
from choirbook_perf.commands import report as command
from choirbook_perf.errors import BadInput, OutputFailed
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.report import page
from choirbook_perf.report.distributions import bins
from choirbook_perf.report.flames import with_flame_graphs
from choirbook_perf.report.subjects import subjects
from choirbook_perf.report.tables import groups, hit_ratio, percentile_ms
from choirbook_perf.report.where import where
from choirbook_perf.results import Floor, Generator, Health, Phase, save
from choirbook_perf.server_metrics import gains, parse_sample, quantile_s
from tests.perf.sample_results import sample_result
from tests.perf.test_plots_drawing import FLAME


def test_results_of_one_name_are_told_apart() -> None:
    same = sample_result("same")
    found = subjects([same, sample_result("other"), same])
    assert [one.name for one in found] == ["same (1)", "other", "same (2)"]
    assert subjects([msgspec.structs.replace(same, label="")])[0].name == "2026-03-01 12:00:00"


def test_groups_are_overall_by_cache_type_resource_and_project() -> None:
    names = [name for name, _, _ in groups(sample_result())]
    assert names[:3] == ["All requests", "Cache: hit", "Cache: miss"]
    assert "Type: template" in names
    assert "Resource: templates/prd-template" in names
    assert names[-3:] == ["Project: project-1", "Project: project-2", "Project: project-10"]


def test_groups_add_up() -> None:
    result = sample_result(failures=3)
    found = list(groups(result))
    for kind in ("Cache", "Type", "Project"):
        of_kind = [one for one in found if one[0].startswith(kind)]
        assert sum(len(latencies) for _, latencies, _ in of_kind) == result.attempts()
        assert sum(failures for *_, failures in of_kind) == 3


def test_bins_hold_every_latency_and_have_no_gap() -> None:
    latencies = LatencyHistogram([(0, 1), (1_000, 2), (100_000, 1)])
    found = bins(latencies)
    assert math.isclose(sum(share for *_, share in found), 1)
    assert all(math.isclose(a[1], b[0]) for a, b in pairwise(found))
    assert found[0][0] <= 0.001
    assert found[-1][1] > 100
    assert bins(LatencyHistogram()) == []


def test_server_latencies_are_what_the_histogram_gained() -> None:
    found = {name: buckets for name, _, buckets in gains(sample_result())}
    assert set(found) == {
        f"{type_}, {kind}" for type_ in ("pattern", "sdlc", "template") for kind in ("hit", "miss")
    }
    assert found["sdlc, hit"][-1] == (math.inf, 100.0)
    assert quantile_s(0.5, found["sdlc, hit"]) == pytest.approx(0.000375)


def test_quantile_beyond_the_last_bucket_is_its_bound() -> None:
    assert quantile_s(0.99, [(0.1, 1.0), (math.inf, 10.0)]) == 0.1
    assert quantile_s(0.5, [(0.1, 0.0), (math.inf, 0.0)]) is None


def test_sample_keys_are_split_whatever_the_labels_hold() -> None:
    assert parse_sample('name{a="x,y=\\"z\\"",le="0.1"}') == ("name", {"a": 'x,y=\\"z\\"', "le": "0.1"})
    assert parse_sample("name") == ("name", {})


def test_worst_row_is_the_outcome() -> None:
    assert gate.outcome(sample_result(factor=2).verdict) == "fail"
    assert gate.outcome(sample_result().verdict) == "inconclusive"


def test_hit_ratio_leaves_out_what_is_unknown() -> None:
    result = sample_result()
    assert hit_ratio(result) == pytest.approx(7200 / 7380)
    unknown = [msgspec.structs.replace(series, cache_result="unknown") for series in result.series]
    assert hit_ratio(msgspec.structs.replace(result, series=unknown)) is None


def test_percentile_beyond_which_no_request_lies_is_no_figure() -> None:
    hundred = LatencyHistogram((us, 1) for us in range(1, 101))
    assert percentile_ms(hundred, 99) == 0.099
    assert percentile_ms(hundred, 99.9) is None
    assert percentile_ms(LatencyHistogram([(1, 1000)]), 99.9) == 0.001
    assert percentile_ms(LatencyHistogram(), 50) is None


def test_slow_run_says_which_reads_and_on_which_side() -> None:
    slow = sample_result(factor=100)
    assert where(slow).startswith("Slowest are ")
    assert "(miss)" in where(slow)
    # The server's p95 is under 50 ms, that of clients over 500.
    assert "outside the server" in where(slow)
    after = {key: value if 'le="+Inf"' in key else 5.0 for key, value in slow.server_after.items()}
    assert "look at the server" in where(msgspec.structs.replace(slow, server_after=after))
    assert "did not report" in where(msgspec.structs.replace(slow, server_after={}))
    assert where(msgspec.structs.replace(slow, series=[])) == ""
    assert where(slow) in page([slow])
    assert "Slowest are" not in page([sample_result()])


def test_text_of_a_result_is_never_markup() -> None:
    hostile = msgspec.structs.replace(sample_result("<script>alert(1)</script>", failures=2), is_partial=True)
    made = page([hostile])
    assert "<script" not in made
    assert "503 &lt;Busy&gt; &amp; gone" in made
    assert "was interrupted" in made


def test_runs_of_two_machines_are_marked() -> None:
    one = sample_result()
    other = msgspec.structs.replace(
        one, environment=msgspec.structs.replace(one.environment, machine="ffffffffffff")
    )
    assert "different machines" in page([one, other])
    assert "different machines" not in page([one, one])


def test_run_without_an_answer_still_makes_a_page() -> None:
    empty = msgspec.structs.replace(
        sample_result(), series=[], timeline=[], server_before={}, server_after={}, verdict=[], duration_s=0.0
    )
    made = page([empty])
    assert "No request was answered." in made
    assert "<svg" not in made


def test_flame_graph_of_another_kind_is_said_to_be_so() -> None:
    assert "not written by py-spy" in page(
        [msgspec.structs.replace(sample_result(), flame_graph_svg="<svg/>")]
    )


def test_same_results_make_the_same_page() -> None:
    assert page([sample_result()]) == page([sample_result()])


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


def test_command_writes_the_page(app: typer.Typer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        save(sample_result(name), tmp_path / f"{name}.json")
    out = tmp_path / "new" / "report.html"
    done = CliRunner().invoke(
        app, ["report", str(tmp_path / "one.json"), str(tmp_path / "two.json"), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert str(out) in done.output.replace("\n", "")
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_flame_graphs_are_given_to_results_in_order(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "flame.svg").write_text(FLAME)
    (tmp_path / "other.svg").write_text("<svg/>")
    one, two = sample_result("one"), sample_result("two")
    given = with_flame_graphs([one, two], [tmp_path / "flame.svg"])
    assert [result.flame_graph_svg for result in given] == [FLAME, ""]
    for graphs in (["other.svg"], ["none.svg"], ["flame.svg"] * 3):
        with pytest.raises(BadInput):
            with_flame_graphs([one, two], [tmp_path / name for name in graphs])


def test_command_says_what_is_wrong_with_a_file(app: typer.Typer, tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["report", str(tmp_path / "none.json")])
    assert isinstance(missing.exception, BadInput)
    save(sample_result(), tmp_path / "one.json")
    (tmp_path / "file").write_text("")
    blocked = CliRunner().invoke(
        app, ["report", str(tmp_path / "one.json"), "--out", str(tmp_path / "file" / "report.html")]
    )
    assert isinstance(blocked.exception, OutputFailed)
    assert "Choose another path" in blocked.exception.message


def test_the_generator_is_described_with_what_makes_it_invalid() -> None:
    row = Health(second=0, cpu=0.9, wait_ms=20, lag_ms=3, sent=100, late=5, psi=0.5, steal=0.0)
    floor = Floor(rate=200, requests=200, p50_ms=0.2, p95_ms=0.4, p99_ms=1.0)
    generator = Generator(
        name="choirbook",
        model="open",
        rate=50,
        arrivals="poisson",
        is_checked=True,
        is_valid=False,
        reasons=["It was saturated."],
        warnings=["5 requests were not sent."],
        floor=floor,
        health=[row],
    )
    phases = [
        Phase(
            name=name,
            kind=name,
            start_s=0,
            duration_s=1,
            rate=50,
            requests=50,
            failures=0,
            p50_ms=1,
            p95_ms=2,
            p99_ms=None,
        )
        for name in ("warm-up", "measured")
    ]
    html = page([msgspec.structs.replace(sample_result("a"), generator=generator, phases=phases)])
    for text in (
        "a is not valid. It was saturated.",
        "a: 5 requests were not sent.",
        "open model, 50/s, poisson arrivals",
        "floor p50 0.2",
        "warm-up (not counted)",
        "5%",
    ):
        assert text in html, text
