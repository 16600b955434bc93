"""Loads that a command line asks for."""

from __future__ import annotations

import pytest

from choirbook_perf.engine import ClosedLoad, OpenLoad
from choirbook_perf.errors import BadInput
from choirbook_perf.generator import Shape
from choirbook_perf.load_options import LoadOptions, Locust, load_of
from choirbook_perf.results import RateStage


def test_without_options_a_hundred_users_come() -> None:
    load = load_of(LoadOptions())
    assert isinstance(load, ClosedLoad)
    assert (load.users, load.run_time_s, load.spawn_rate) == (100, 300, 10)
    assert load.ramp_s == pytest.approx(9.9)


def test_a_rate_is_one_stage() -> None:
    load = load_of(LoadOptions(rate=50, run_time="90s", arrivals="poisson", max_in_flight=7, warm_up_s=0))
    assert load == OpenLoad(stages=(RateStage(90, 50),), arrivals="poisson", max_in_flight=7, warm_up_s=0)


def test_stages_have_durations_and_rates() -> None:
    load = load_of(LoadOptions(stages="30s:100, 1m:500.5"))
    assert isinstance(load, OpenLoad)
    assert load.stages == (RateStage(30, 100), RateStage(60, 500.5))
    assert load.highest_rate() == 500.5
    assert load.measured_s() == 90


@pytest.mark.parametrize(
    "options",
    [
        LoadOptions(locust=Locust(is_asked=True)),
        LoadOptions(locust=Locust(processes=2)),
        LoadOptions(locust=Locust(is_master=True)),
        LoadOptions(locust=Locust(is_worker=True)),
    ],
)
def test_locust_makes_what_is_distributed(options: LoadOptions) -> None:
    assert isinstance(load_of(options), Shape)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (LoadOptions(rate=1, stages="1s:1"), "--stages"),
        (LoadOptions(rate=1, users=1), "--users"),
        (LoadOptions(stages="1s:1", run_time="1s"), "--run-time"),
        (LoadOptions(rate=1, has_think_time=True), "--think-time"),
        (LoadOptions(rate=1, locust=Locust(is_asked=True)), "--locust"),
        (LoadOptions(arrivals="poisson"), "--arrivals"),
        (LoadOptions(max_in_flight=5), "--max-in-flight"),
        (LoadOptions(locust=Locust(is_master=True, processes=2)), "--master"),
        (LoadOptions(stages="soon"), "30s:100,60s:500"),
        (LoadOptions(stages="1s:0"), "above 0"),
        (LoadOptions(rate=float("nan")), "above 0"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: LoadOptions, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_of(options)
