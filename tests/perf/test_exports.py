"""Exports, each read back by the tools that it is for."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hdrh.histogram import HdrHistogram
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from choirbook_perf.commands.export import Format
from choirbook_perf.exports import FORMATS, csv_table, hgrm, json_document, junit, prometheus, step_summary
from choirbook_perf.results import Failure as FailedRequests
from choirbook_perf.results import Generator, Result, load, save
from tests.perf.processes import perf
from tests.perf.sample_results import sample_result
from tests.perf.samples import result_of, row_of, series_of

HOSTILE = 'x"y\\z\n<a|b>&\x00\x1b*_`[link](http://e)`=1+1'


def hostile() -> Result:
    series = msgspec.structs.replace(series_of([1.0] * 400, failures=2), name=HOSTILE, resource_type=HOSTILE)
    return result_of(
        series,
        label=HOSTILE,
        failures=[FailedRequests(name=HOSTILE, reason=HOSTILE, count=2)],
        verdict=[row_of("fail", metric=f"p95{{name:{HOSTILE}}}"), row_of("inconclusive", reason=HOSTILE)],
    )


RESULTS = {
    "a run": sample_result(failures=3),
    "a run of hostile names": hostile(),
    "a run without requests": result_of(verdict=[row_of("not measured", None, reason="no request was made")]),
    "an invalid run": result_of(
        series_of([1.0]),
        generator=Generator(is_valid=False, reasons=["It was *stopped*."]),
        verdict=[row_of("inconclusive", reason="the load generator was not fast enough")],
    ),
}
every_result = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)


def test_the_command_line_knows_every_format() -> None:
    assert [one.value for one in Format] == list(FORMATS)


@every_result
def test_json_is_a_document_with_verdict_and_latencies(result: Result) -> None:
    document = json.loads(json_document.export(result), parse_constant=pytest.fail)
    assert [row["metric"] for row in document["verdict"]] == [row.metric for row in result.verdict]
    assert (document["requests"], document["failures"]) == (result.attempts(), result.failed())
    assert document["generator"]["is_valid"] == result.generator.is_valid
    if result.attempts():
        overall = document["latencies"][0]
        assert overall["percentiles_ms"]["95"] == result.histogram().percentile_ms(95)


def test_json_says_what_a_pipeline_asks_for() -> None:
    document = json.loads(json_document.export(sample_result(factor=2)))
    assert document["outcome"] == "fail"
    hits = next(
        one for one in document["latencies"] if (one["label"], one["value"]) == ("cache_result", "hit")
    )
    assert hits["requests"] == len(sample_result().histogram(cache_result="hit"))


@every_result
def test_csv_has_a_row_for_each_kind_of_request(result: Result) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table.export(result), newline=""), strict=True))
    assert sum(int(row["requests"]) for row in rows if row["label"] == "name") == result.attempts()
    assert sum(int(row["failures"]) for row in rows if row["label"] == "all") == result.failed()
    for row in rows:
        assert float(row["p50_ms"]) <= float(row["p99_ms"]) <= float(row["max_ms"])


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_csv_holds_no_formula_of_a_server(name: str) -> None:
    series = msgspec.structs.replace(series_of([1.0]), name=name)
    values = [
        row["value"] for row in csv.DictReader(io.StringIO(csv_table.export(result_of(series)), newline=""))
    ]
    assert f"'{name}" in values
    assert name not in values


def lines_of(text: str) -> list[list[float]]:
    lines = text.splitlines()[2:]
    return [[float(word) for word in line.split()] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("requests", [1, 40, 2_000])
def test_hgrm_has_the_percentiles_and_counts_of_hdrhistogram(requests: int) -> None:
    dice = random.Random(requests)  # noqa: S311 - a sample, no secret
    latencies_ms = [dice.lognormvariate(1, 1) for _ in range(requests)]
    result = result_of(series_of(latencies_ms))
    text = hgrm.export(result)
    theirs = HdrHistogram(1, 10_000_000, 3)
    for latency_ms in latencies_ms:
        theirs.record_value(round(latency_ms * 1000))
    written = io.BytesIO()
    theirs.output_percentile_distribution(written, 1000.0, 5)
    reference = written.getvalue().decode()
    assert text.splitlines()[:2] == reference.splitlines()[:2]
    latencies = result.histogram()
    for value_ms, percentile, *_ in lines_of(reference):
        assert latencies.percentile_ms(100 * percentile - 1e-7) == pytest.approx(value_ms, rel=0.012)
    *steps, last = lines_of(text)
    assert last == [steps[-1][0], 1.0, requests]
    for value_ms, percentile, seen, distance in steps:
        assert value_ms == latencies.percentile_ms(100 * percentile - 1e-7)
        assert seen == sum(count for us, count in latencies.counts() if us <= value_ms * 1000)
        assert distance == pytest.approx(1 / (1 - percentile), abs=0.01)


def test_hgrm_has_five_steps_for_each_halving_of_the_distance() -> None:
    text = hgrm.export(result_of(series_of([float(ms) for ms in range(1, 901)])))
    levels = [line[1] for line in lines_of(text)]
    assert levels[:13] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.775, 0.8])


@every_result
def test_hgrm_ends_with_the_longest_and_the_count(result: Result) -> None:
    text = hgrm.export(result)
    assert f"Total count    = {result.attempts():12d}]" in text
    lines = lines_of(text)
    assert len(lines) == 0 if not result.attempts() else lines[-1][1:] == [1.0, result.attempts()]


@every_result
def test_junit_has_a_case_for_each_threshold(result: Result) -> None:
    suite = next(iter(JUnitXml.fromstring(junit.export(result).encode())))
    cases = list(suite)
    assert suite.tests == len(cases) == len(result.verdict)
    kinds = {"fail": Failure, "inconclusive": Error, "not measured": Error}
    for case, row in zip(cases, result.verdict, strict=True):
        assert [type(one) for one in case.result] == ([kinds[row.outcome]] if row.outcome in kinds else [])
    assert suite.failures == sum(row.outcome == "fail" for row in result.verdict)
    assert suite.errors == sum(row.outcome in {"inconclusive", "not measured"} for row in result.verdict)


def test_junit_skips_only_what_need_not_be_measured() -> None:
    verdict = [row_of("not measured", None, is_required=False, reason="the server reported no hit")]
    suite = next(iter(JUnitXml.fromstring(junit.export(result_of(verdict=verdict)).encode())))
    (case,) = suite
    assert [type(one) for one in case.result] == [Skipped]
    assert case.result[0].message == "not measured: the server reported no hit"
    assert suite.skipped == 1


@every_result
def test_a_step_summary_is_markdown_whose_tables_hold_what_servers_say_as_text(result: Result) -> None:
    text = step_summary.export(result)
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert page.count("<table>") == text.count("\n| --- ")
    assert "<a href" not in page
    assert "<a|b>" not in page
    rows = page.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>")
    assert rows == len(result.verdict)


def test_a_step_summary_leads_with_the_outcome_and_names_an_invalid_generator() -> None:
    assert step_summary.export(sample_result(factor=2)).startswith("## baseline: ❌ failed")
    told = step_summary.export(RESULTS["an invalid run"])
    assert told.startswith("## Performance: ⚠️ unknown")
    assert "nothing is decided.** It was \\*stopped\\*." in told


@every_result
def test_prometheus_text_is_read_by_its_parser(result: Result) -> None:
    families = {one.name: one for one in text_string_to_metric_families(prometheus.export(result))}
    assert families["choirbook_perf_requests"].samples[0].value == result.attempts()
    assert families["choirbook_perf_generator_valid"].samples[0].value == result.generator.is_valid
    thresholds = families["choirbook_perf_threshold_passed"].samples
    assert len(thresholds) == len(result.verdict)
    values = {"fail": 0.0, "pass": 1.0}
    for sample, row in zip(thresholds, result.verdict, strict=True):
        expected = values.get(row.outcome, math.nan)
        assert sample.value == pytest.approx(expected, nan_ok=True)
        assert sample.labels["outcome"] == row.outcome
    if result.label:
        assert {one.labels["label"] for family in families.values() for one in family.samples} == {
            result.label
        }


def test_prometheus_text_has_latencies_in_seconds_by_type_and_cache_result() -> None:
    result = sample_result()
    families = {one.name: one for one in text_string_to_metric_families(prometheus.export(result))}
    samples = families["choirbook_perf_response_time_seconds"].samples
    of = {"by": "cache_result", "value": "hit", "label": "baseline"}
    (p95,) = [one.value for one in samples if one.labels == of | {"quantile": "0.95"}]
    assert p95 == pytest.approx(result.histogram(cache_result="hit").percentile_ms(95) / 1000)
    (count,) = [one.value for one in samples if one.name.endswith("_count") and one.labels == of]
    assert count == len(result.histogram(cache_result="hit"))


@every_result
def test_prometheus_text_has_no_fault_that_promtool_finds(result: Result) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: run scripts/debian-install"
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=prometheus.export(result).encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("format_", FORMATS)
def test_the_command_writes_a_file_or_to_standard_output(format_: str, tmp_path: Path) -> None:
    save(sample_result(factor=2), tmp_path / "result.json")
    out = tmp_path / "new" / "file"
    written = perf("export", tmp_path, "--to", format_, "--out", out)
    assert (written.returncode, written.stdout) == (0, "")
    assert out.read_bytes().decode() == FORMATS[format_](load(tmp_path / "result.json"))


def test_the_command_prints_without_a_file_and_refuses_what_is_no_result(tmp_path: Path) -> None:
    save(sample_result(), tmp_path / "result.json")
    printed = perf("export", tmp_path / "result.json", "--to", "csv")
    assert (printed.returncode, printed.stdout.splitlines()[0][:11]) == (0, "label,value")
    (tmp_path / "other.json").write_text("{}")
    assert perf("export", tmp_path / "other.json", "--to", "csv").returncode == 2
    assert perf("export", tmp_path / "result.json", "--to", "xml").returncode == 2
