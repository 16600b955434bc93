"""A result as Prometheus text, for a Pushgateway or the textfile collector. Pure.

The summaries have their quantiles from the whole run, in seconds, the unit that Prometheus asks for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from choirbook_perf import gate
from choirbook_perf.exports.groups import PERCENTS, groups
from choirbook_perf.results import Result

_VALUES = {"pass": 1.0, "fail": 0.0}


def export(result: Result) -> str:
    """Return the exposition."""
    common = {"label": result.label} if result.label else {}
    return "\n".join(_lines(result, common)) + "\n"


def _lines(result: Result, common: Mapping[str, str]) -> Iterator[str]:
    yield from _latencies(result, common)
    yield from _gauge("requests", "Requests of the run.", [(common, result.attempts())])
    yield from _gauge("failures", "Failed requests of the run.", [(common, result.failed())])
    yield from _gauge("duration_seconds", "Length of the run.", [(common, result.duration_s)])
    started_s = datetime.fromisoformat(result.started).timestamp()
    yield from _gauge("start_time_seconds", "Start of the run, since the epoch.", [(common, started_s)])
    valid = int(result.generator.is_valid)
    yield from _gauge("generator_valid", "1 if the load generator was fast enough.", [(common, valid)])
    rows = [
        ({**common, "threshold": f"{row.metric} {gate.limit_of(row)}", "outcome": row.outcome}, row)
        for row in result.verdict
    ]
    passed = [(labels, _VALUES.get(row.outcome, math.nan)) for labels, row in rows]
    yield from _gauge(
        "threshold_passed", "1 if the run meets the threshold, 0 if not, NaN if unknown.", passed
    )
    verdict = _VALUES.get(gate.outcome(result.verdict), math.nan)
    yield from _gauge(
        "passed",
        "1 if the run meets all thresholds, 0 if it misses one, NaN if unknown.",
        [(common, verdict)],
    )


def _latencies(result: Result, common: Mapping[str, str]) -> Iterator[str]:
    name = "choirbook_perf_response_time_seconds"
    yield f"# HELP {name} Response times from the intended time of sending, failed requests too."
    yield f"# TYPE {name} summary"
    for group in groups(result):
        if group.label not in {"cache_result", "resource_type"}:
            continue
        labels = {**common, "by": group.label, "value": group.value}
        for percent, value_ms in zip(PERCENTS, group.percentiles_ms(), strict=True):
            yield f"{name}{_braces({**labels, 'quantile': f'{percent / 100:g}'})} {value_ms / 1000:g}"
        requests = len(group.latencies)
        yield f"{name}_sum{_braces(labels)} {group.latencies.mean_ms() * requests / 1000:.9g}"
        yield f"{name}_count{_braces(labels)} {requests}"


def _gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    full = f"choirbook_perf_{name}"
    yield f"# HELP {full} {text}"
    yield f"# TYPE {full} gauge"
    for labels, value in samples:
        yield f"{full}{_braces(labels)} {_number(value)}"


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.12g}"


def _braces(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
