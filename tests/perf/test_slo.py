"""Threshold expressions, and the files that hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf import slo
from choirbook_perf.errors import BadInput
from choirbook_perf.slo import Threshold, parse_expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99 < 200", Threshold(statistic="p99", operator="<", limit=200)),
        ("p99.9<=1.5ms", Threshold(statistic="p99.9", operator="<=", limit=1.5)),
        ("p50 < 500us", Threshold(statistic="p50", operator="<", limit=0.5)),
        ("p95 < 2 s", Threshold(statistic="p95", operator="<", limit=2000)),
        ("hit.p95 < 10", Threshold(statistic="p95", operator="<", limit=10, cache_result="hit")),
        ("service.p95 < 10", Threshold(statistic="p95", operator="<", limit=10, source="service")),
        (
            "server.hit.p95 <= 1 @ 99%",
            Threshold(
                statistic="p95", operator="<=", limit=1, source="server", cache_result="hit", confidence=99
            ),
        ),
        (
            "miss.p95{type:sdlc, name:mcp://resources/x} < 10",
            Threshold(
                statistic="p95",
                operator="<",
                limit=10,
                cache_result="miss",
                labels=(("resource_type", "sdlc"), ("name", "mcp://resources/x")),
            ),
        ),
        (
            "failures.rate < 0.1% @ 95%",
            Threshold(statistic="failures.rate", operator="<", limit=0.001, confidence=95),
        ),
        ("failures.rate == 0", Threshold(statistic="failures.rate", operator="==", limit=0)),
        ("failures.count <= 3", Threshold(statistic="failures.count", operator="<=", limit=3)),
        ("hits.rate > 90%", Threshold(statistic="hits.rate", operator=">", limit=0.9)),
        ("rate >= 300/s", Threshold(statistic="rate", operator=">=", limit=300)),
        (" rate > 3e2 ", Threshold(statistic="rate", operator=">", limit=300)),
    ],
)
def test_an_expression_is_read(text: str, expected: Threshold) -> None:
    assert parse_expression(text, "slo.toml") == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a threshold"),
        ("p95", "is not a threshold"),
        ("p95 = 10", "is not a threshold"),
        ("p95 < -1", "is not a threshold"),
        ("p100 < 1", "is not a threshold"),
        ("p95 < 10 @ 95", "is not a threshold"),
        ("p0 < 1", "no percentile"),
        ("p95 < 1e999", "no finite limit"),
        ("p95 < 10%", "the unit '%'"),
        ("rate > 10 ms", "the unit 'ms'"),
        ("p95{team:a} < 1", "the label 'team'"),
        ("p95{type:} < 1", "the label 'type'"),
        ("hit.rate > 1", "Only percentiles"),
        ("server.p95{name:x} < 1", "only types"),
        ("p95 < 1 @ 50%", "a confidence"),
        ("p95 < 1 @ 100%", "a confidence"),
        ("p95 == 1", "compares with =="),
        ("failures.rate == 1%", "compares with =="),
        ("failures.rate < 0", "failures.rate == 0"),
        ("failures.rate <= 0%", "failures.rate == 0"),
        ("hits.rate > 90", "a ratio above 1"),
    ],
)
def test_an_expression_that_nothing_could_meet_or_read_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint) as error:
        parse_expression(text, "slo.toml")
    assert "slo.toml" in error.value.message


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        parse_expression(text, "slo.toml")
    except BadInput as error:
        assert "slo.toml" in error.message  # noqa: PT017 - either outcome is fine


def test_the_metric_is_the_left_side() -> None:
    texts = ["server.hit.p99.9{type:sdlc} < 1", "failures.rate{name:a b,type:c} < 1%", "p50 < 1"]
    found = [parse_expression(text, "slo.toml") for text in texts]
    assert [one.metric for one in found] == [
        "server.hit.p99.9{type:sdlc}",
        "failures.rate{name:a b,type:c}",
        "p50",
    ]
    assert [one.percent for one in found] == [99.9, None, 50.0]
    assert [one.unit for one in found] == ["ms", "ratio", "ms"]
    assert all(parse_expression(f"{one.metric} < 1%"[: -1 if one.percent else None], "x") for one in found)


def test_the_mission_is_the_default_and_requires_hits_only_where_they_are_reported() -> None:
    found = {one.metric: (one.operator, one.limit, one.is_required) for one in slo.load("mission")}
    assert found == {
        "p50": ("<", 50, True),
        "p95": ("<", 100, True),
        "p99": ("<", 200, True),
        "failures.rate": ("==", 0, True),
        "hit.p95": ("<", 10, False),
        "miss.p95": ("<", 100, False),
    }


def test_the_tight_file_holds_the_server_to_its_own_budgets() -> None:
    found = {one.metric: one for one in slo.load("tight")}
    assert [found[name].limit for name in ("p50", "p95", "p99")] == [2, 5, 20]
    own = found["server.hit.p95"]
    assert (own.source, own.operator, own.limit) == ("server", "<=", 1)
    assert all(one.is_required for one in found.values())


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "slo.toml"
    path.write_text('thresholds = ["p95 < 100", "rate > 1"]\nif_reported = ["hit.p95 < 10"]\n')
    found = slo.load(str(path))
    assert [(one.metric, one.is_required) for one in found] == [
        ("p95", True),
        ("rate", True),
        ("hit.p95", False),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read.*mission and tight"),
        (b"\xff", "is not UTF-8 text"),
        (b"p95_ms", "is not TOML"),
        (b"", "sets no limit"),
        (b"thresholds = []", "sets no limit"),
        (b"thresholds = 'p95 < 1'", "must be a list of strings"),
        (b"thresholds = [1]", "must be a list of strings"),
        (b"thresholds = ['p95']", "is not a threshold"),
        (b"p95_ms = 50", 'earlier versions. Write: thresholds = \\["p95 <= 50"\\]'),
        (b"hit_p95_ms = 5.5", '"hit.p95 <= 5.5"'),
        (b"failure_ratio = 0", '"failures.rate == 0"'),
        (b"failure_ratio = 0.001", '"failures.rate <= 0.001"'),
        (b"requests_per_s = 300", '"rate >= 300"'),
        (b"limits = []", "The keys are thresholds and if_reported"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_to_write(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "slo.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=complaint) as error:
        slo.load(str(path))
    assert "slo.toml" in error.value.message
