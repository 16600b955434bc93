"""Thresholds of a run: parsing of expressions and of their TOML files. Pure but for reading a file.

The syntax follows k6::

    expression = [ source "." ] [ cache "." ] statistic [ labels ] operator number [ unit ] [ confidence ]
    confidence = "@" number "%"                (default: 95 %)
    source     = "service" | "server"        (default: response time, from the intended time of sending)
    cache      = "hit" | "miss"
    statistic  = "p50", "p99.9" ... | "failures.rate" | "failures.count" | "hits.rate" | "rate"
    labels     = "{" ( "type" | "name" ) ":" value { "," ... } "}"
    operator   = "<" | "<=" | ">" | ">=" | "=="

A file has the lists `thresholds`, which every run must meet, and `if_reported`: required only from a server
that reports the cache result of each response, which is Choirbook over HTTP.
"""

from __future__ import annotations

import math
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput

BUILT_IN = ("mission", "tight")
"""Names of the files in the package, usable instead of a path."""

CONFIDENCE = 95.0
"""Confidence of each bound, in per cent, unless an expression states another."""

_EXPRESSION = re.compile(
    r"(?:(?P<source>service|server)\.)?(?:(?P<cache>hit|miss)\.)?"
    r"(?P<statistic>p\d{1,2}(?:\.\d+)?|failures\.rate|failures\.count|hits\.rate|rate)"
    r"\s*(?:\{(?P<labels>[^{}]*)\})?"
    r"\s*(?P<operator><=|>=|==|<|>)"
    r"\s*(?P<limit>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<unit>us|ms|s|%|/s)?"
    r"\s*(?:@\s*(?P<confidence>\d+(?:\.\d+)?)\s*%)?"
)
_OLD_LATENCY = re.compile(r"(?:(?P<cache>hit|miss)_)?(?P<percentile>p\d{1,2}(?:\.\d+)?)_ms")
_OLD = {"failure_ratio": "failures.rate <= {}", "requests_per_s": "rate >= {}"}
_LISTS = ("thresholds", "if_reported")
_LABELS = {"type": "resource_type", "name": "name"}
_SCALES: dict[str, dict[str | None, float]] = {
    "ms": {None: 1.0, "us": 0.001, "ms": 1.0, "s": 1000.0},
    "ratio": {None: 1.0, "%": 0.01},
    "1/s": {None: 1.0, "/s": 1.0},
    "count": {None: 1.0},
}
_UNITS = {"failures.rate": "ratio", "hits.rate": "ratio", "failures.count": "count", "rate": "1/s"}
_EXAMPLE = 'thresholds = ["p95 < 100", "hit.p95 < 10", "failures.rate < 0.1% @ 99%", "rate > 300"]'


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of a run and its limit."""

    statistic: str
    """`p95`, `failures.rate`, `failures.count`, `hits.rate` or `rate`."""
    operator: str
    limit: float
    """In `unit`."""
    source: str = ""
    """`service`: time from sending; `server`: the server's own histogram; "": response time."""
    cache_result: str = ""
    """`hit` or `miss`, "" for all requests."""
    labels: tuple[tuple[str, str], ...] = ()
    """(field of a series, value) pairs that a request must have."""
    confidence: float = CONFIDENCE
    """Confidence of each bound of the interval, in per cent."""
    is_required: bool = True
    """Whether a run without a single sample is inconclusive, whatever the server."""

    @property
    def percent(self) -> float | None:
        """Percentile of the statistic, None if it is not one."""
        return float(self.statistic[1:]) if self.statistic not in _UNITS else None

    @property
    def unit(self) -> str:
        """Unit of limit and value."""
        return _UNITS.get(self.statistic, "ms")

    @property
    def metric(self) -> str:
        """Left side of the expression."""
        names = {field: label for label, field in _LABELS.items()}
        inner = ",".join(f"{names[field]}:{value}" for field, value in self.labels)
        dotted = ".".join(part for part in (self.source, self.cache_result, self.statistic) if part)
        return f"{dotted}{{{inner}}}" if inner else dotted


def parse_expression(text: str, where: str, *, is_required: bool = True) -> Threshold:
    """Parse one expression.

    Args:
        text: The expression.
        where: Name of the source in messages.
        is_required: Whether it must be measured whatever the server.

    Raises:
        BadInput: It is not an expression, or no run could meet it.
    """
    match = _EXPRESSION.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"{where}: {text!r} is not a threshold. Write it as in {_EXAMPLE}.")
    statistic, operator = match["statistic"], match["operator"]
    unit = _UNITS.get(statistic, "ms")
    if match["unit"] not in _SCALES[unit]:
        raise BadInput(f"{where}: {text!r} has the unit {match['unit']!r}, which does not fit {statistic}.")
    threshold = Threshold(
        statistic=statistic,
        operator=operator,
        limit=round(float(match["limit"]) * _SCALES[unit][match["unit"]], 12),
        source=match["source"] or "",
        cache_result=match["cache"] or "",
        labels=_labels(match["labels"], text, where),
        confidence=float(match["confidence"] or CONFIDENCE),
        is_required=is_required,
    )
    problem = _problem(threshold)
    if problem:
        raise BadInput(f"{where}: {text!r} {problem}.")
    return threshold


def _labels(inner: str | None, text: str, where: str) -> tuple[tuple[str, str], ...]:
    if inner is None:
        return ()
    pairs = [part.partition(":") for part in inner.split(",")]
    for label, _, value in pairs:
        if label.strip() not in _LABELS or not value.strip():
            raise BadInput(
                f"{where}: {text!r} has the label {label.strip()!r}. Write {{type:VALUE}} or {{name:VALUE}}."
            )
    return tuple((_LABELS[label.strip()], value.strip()) for label, _, value in pairs)


def _problem(one: Threshold) -> str:
    """Describe why a threshold makes no sense; "" if it does."""
    is_zero = one.limit == 0
    is_failures = one.statistic.startswith("failures.")
    problems = (
        (one.percent == 0, "is about p0, which is no percentile. The lowest is above 0, such as p1"),
        (not math.isfinite(one.limit), "has no finite limit"),
        (
            one.percent is None and bool(one.source or one.cache_result),
            f"restricts {one.statistic} to a source or a cache result. Only percentiles have these",
        ),
        (
            one.source == "server" and any(field == "name" for field, _ in one.labels),
            "asks the server's histogram about a name. It knows only types",
        ),
        (
            not 50 < one.confidence < 100,  # noqa: PLR2004 - of one bound: 50 % would be a guess
            "has a confidence outside of 50 % to 100 %",
        ),
        (
            one.operator == "==" and not (is_failures and is_zero),
            "compares with ==. Only failures.rate and failures.count do, and only with 0",
        ),
        (
            one.statistic == "failures.rate" and is_zero and one.operator != "==",
            "can never be shown from a sample. Write failures.rate == 0 to allow no failure in the run",
        ),
        (
            one.unit == "ratio" and one.limit > 1,
            "has a ratio above 1. Write a percentage with %, such as 0.1%",
        ),
    )
    return next((told for is_wrong, told in problems if is_wrong), "")


def load(source: str) -> tuple[Threshold, ...]:
    """Load a file of thresholds.

    Args:
        source: Path of the file, or the name of a built-in one: see `BUILT_IN`.

    Raises:
        BadInput: It cannot be read, or sets no usable limits.
    """
    if source in BUILT_IN:
        return parse((files(__package__) / "slos" / f"{source}.toml").read_text(encoding="utf-8"), source)
    try:
        return parse(Path(source).read_text(encoding="utf-8"), source)
    except OSError as error:
        raise BadInput(
            f"The SLO file {source} cannot be read: {error.strerror}. "
            f"The built-in ones are {' and '.join(BUILT_IN)}."
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The SLO file {source} is not UTF-8 text: {error.reason}.") from error


def parse(text: str, where: str) -> tuple[Threshold, ...]:
    """Parse a file's text.

    Args:
        text: The TOML.
        where: Name of the source in messages.

    Raises:
        BadInput: It is not TOML, or sets no usable limits.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The SLO file {where} is not TOML: {error}.") from error
    for key, value in document.items():
        _check_key(key, value, where)
    found = [
        parse_expression(each, f"The SLO file {where}", is_required=key == "thresholds")
        for key in _LISTS
        for each in document.get(key, [])
    ]
    if not found:
        raise BadInput(f"The SLO file {where} sets no limit. Add a line such as: {_EXAMPLE}")
    return tuple(found)


def _check_key(key: str, value: Any, where: str) -> None:
    if key in _LISTS:
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise BadInput(f"The SLO file {where}: {key} must be a list of strings, as in {_EXAMPLE}.")
        return
    replacement = _of_old_form(key, value)
    if replacement:
        raise BadInput(
            f"The SLO file {where} has the key {key}, the form of earlier versions. "
            f'Write: thresholds = ["{replacement}"]'
        )
    raise BadInput(
        f"The SLO file {where} has the key {key!r}. The keys are {' and '.join(_LISTS)}, as in {_EXAMPLE}."
    )


def _of_old_form(key: str, value: Any) -> str:
    """Return the expression for a key of earlier versions, "" for any other key."""
    match = _OLD_LATENCY.fullmatch(key)
    if match:
        return f"{match['cache']}.{match['percentile']} <= {value}".removeprefix("None.")
    if key == "failure_ratio" and value == 0:
        return "failures.rate == 0"
    return _OLD.get(key, "").format(value)
