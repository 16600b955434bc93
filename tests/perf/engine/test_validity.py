"""Reasons for which a generator's figures are worthless, and its warnings."""

from __future__ import annotations

import msgspec
import pytest

from choirbook_perf.engine import validity
from choirbook_perf.engine.validity import Observed
from choirbook_perf.histogram import LatencyHistogram, corrected
from choirbook_perf.results import Floor, Health

HEALTHY = Health(second=0, cpu=0.2, wait_ms=5, lag_ms=0.3, sent=100, psi=0.05, steal=0.0, idle=0.6)
FLOOR = Floor(rate=200, requests=200, p50_ms=0.2, p95_ms=0.4, p99_ms=1.0)


def _histogram(*values_ms: float) -> LatencyHistogram:
    return LatencyHistogram((round(value_ms * 1000), 1) for value_ms in values_ms)


def _observed(
    row: Health = HEALTHY,
    lateness: LatencyHistogram | None = None,
    lags: LatencyHistogram | None = None,
    faults: tuple[str, ...] = (),
) -> Observed:
    quick = _histogram(*[0.1] * 100)
    return Observed([row] * 5, lateness or quick, lags or quick, _histogram(*[5.0] * 100), faults)


def test_a_generator_with_a_core_of_its_own_is_valid() -> None:
    assert validity.reasons(_observed()) == []


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (_observed(msgspec.structs.replace(HEALTHY, cpu=0.97)), "saturated"),
        (_observed(msgspec.structs.replace(HEALTHY, wait_ms=300)), "starved"),
        (_observed(msgspec.structs.replace(HEALTHY, steal=0.3)), "hypervisor"),
        (_observed(msgspec.structs.replace(HEALTHY, idle=0.01)), "No core was free"),
        (_observed(lags=_histogram(*[0.1] * 3000, 190.0)), "stood still, or fell behind, for 190 ms"),
        (_observed(lateness=_histogram(*[0.1] * 3000, 190.0)), "for 190 ms"),
        (_observed(lateness=_histogram(*[0.1] * 90, *[3.0] * 10)), "sent requests late: by 3 ms at p95"),
        (_observed(lags=_histogram(*[2.0] * 100)), "rang its timer late: by 2 ms at p50"),
        (_observed(faults=("Too many open files",)), "Too many open files"),
    ],
)
def test_one_that_cannot_keep_up_says_why(observed: Observed, reason: str) -> None:
    (told,) = validity.reasons(observed)
    assert reason in told


def test_delays_that_are_small_beside_what_was_measured_do_no_harm() -> None:
    observed = _observed(lateness=_histogram(*[3.0] * 100))._replace(responses=_histogram(*[50.0] * 100))
    assert validity.reasons(observed) == []


def test_one_delay_of_few_is_no_percentile() -> None:
    assert validity.reasons(_observed(lateness=_histogram(*[0.1] * 99, 5.0))) == []
    (told,) = validity.reasons(_observed(lateness=_histogram(*[0.1] * 296, *[5.0] * 4)))
    assert "at p99" in told


def test_what_the_kernel_does_not_tell_is_no_reason() -> None:
    row = msgspec.structs.replace(HEALTHY, wait_ms=None, psi=None, steal=None, idle=None)
    assert validity.reasons(_observed(row)) == []


def test_values_near_the_floor_are_not_the_server_s() -> None:
    assert not validity.is_attributable(0.5, 50, FLOOR)
    assert validity.is_attributable(0.61, 50, FLOOR)
    assert not validity.is_attributable(2.9, 97, FLOOR)
    assert not validity.is_attributable(2.9, 99.9, FLOOR)
    assert validity.is_attributable(0.01, 50, None)


def test_the_warning_about_the_floor_names_the_percentiles() -> None:
    (told,) = validity.floor_warnings(_histogram(*[0.5] * 90, *[9.0] * 10), FLOOR)
    assert "p50 0.5 ms (floor 0.2 ms)" in told
    assert "p95" not in told
    assert validity.floor_warnings(_histogram(*[9.0] * 100), FLOOR) == []
    assert validity.floor_warnings(_histogram(0.1), None) == []


def test_users_who_were_held_back_are_told_with_the_figure() -> None:
    raw = _histogram(*[1.0] * 95, *[2000.0] * 5)
    full = LatencyHistogram(corrected(raw.counts(), 100_000))
    told = validity.held_back_warning(raw, full, 10)
    assert f"{len(full) - len(raw)} requests of theirs are missing" in told
    assert "raw 1 ms" in told
    assert full.percentile_ms(95) > 1500
    assert validity.held_back_warning(raw, raw, 10) == ""
