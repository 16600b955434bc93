"""The load that a command line asks for: its model, its size, and which generator makes it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from choirbook_perf.engine import CONSTANT, ClosedLoad, Load, OpenLoad
from choirbook_perf.engine.order import MAX_IN_FLIGHT, WARM_UP_S
from choirbook_perf.errors import BadInput
from choirbook_perf.generator import Shape
from choirbook_perf.results import RateStage
from choirbook_perf.scenario import parse_duration_s

_MAX_RATE = 1_000_000.0
_STAGE = re.compile(r"([0-9hms]+):([0-9]+(?:\.[0-9]+)?)")


class Locust(NamedTuple):
    """Options of a load that Locust makes."""

    is_asked: bool = False
    processes: int = 1
    is_master: bool = False
    is_worker: bool = False
    expect_workers: int = 1
    master_port: int = 5557

    @property
    def is_needed(self) -> bool:
        """Whether Locust makes the load."""
        return self.is_asked or self.is_master or self.is_worker or self.processes > 1


class LoadOptions(NamedTuple):
    """Options of a load, as they were given; None for those that were not."""

    users: int | None = None
    spawn_rate: float = 10.0
    run_time: str = ""
    rate: float | None = None
    arrivals: str | None = None
    max_in_flight: int | None = None
    stages: str = ""
    warm_up_s: float | None = None
    is_quick: bool = False
    locust: Locust = Locust()
    has_think_time: bool = False


class Size(NamedTuple):
    """Size of a load."""

    users: int
    run_time: str


FULL = Size(100, "5m")
QUICK = Size(30, "1m")


def load_of(options: LoadOptions) -> Shape | Load:
    """Return the load; a `Shape` is made by Locust.

    Raises:
        BadInput: Options contradict each other, or cannot be parsed.
    """
    _check(options)
    size = QUICK if options.is_quick else FULL
    users, run_time = options.users or size.users, options.run_time or size.run_time
    locust = options.locust
    if locust.is_needed:
        return Shape(
            users,
            options.spawn_rate,
            parse_duration_s(run_time),
            locust.processes,
            locust.is_master,
            locust.expect_workers,
            locust.master_port,
        )
    warm_up_s = WARM_UP_S if options.warm_up_s is None else options.warm_up_s
    if options.rate is None and not options.stages:
        return ClosedLoad(
            users=users,
            spawn_rate=options.spawn_rate,
            run_time_s=parse_duration_s(run_time),
            warm_up_s=warm_up_s,
        )
    return OpenLoad(
        stages=_stages(options, run_time),
        arrivals=options.arrivals or CONSTANT,
        max_in_flight=options.max_in_flight or MAX_IN_FLIGHT,
        warm_up_s=warm_up_s,
    )


def _stages(options: LoadOptions, run_time: str) -> tuple[RateStage, ...]:
    if not options.stages:
        return (RateStage(parse_duration_s(run_time), _rate(options.rate or 0.0, "--rate")),)
    found = []
    for part in options.stages.split(","):
        match = _STAGE.fullmatch(part.strip())
        if match is None:
            raise BadInput(
                f"--stages {options.stages!r} is not a list of durations and rates. Pass one such as "
                "30s:100,60s:500."
            )
        found.append(RateStage(parse_duration_s(match[1]), _rate(float(match[2]), "--stages")))
    return tuple(found)


def _rate(rate: float, option: str) -> float:
    if not 0 < rate <= _MAX_RATE:
        raise BadInput(
            f"{option}: a rate of {rate:g} per second cannot be made. Pass one above 0, up to {_MAX_RATE:g}."
        )
    return rate


def _check(options: LoadOptions) -> None:
    locust, is_open = options.locust, options.rate is not None or bool(options.stages)
    refused = (
        (options.rate is not None and options.stages, "--rate", "--stages", "both set the rate"),
        (is_open and options.users, "--users", "--rate or --stages", "users wait, a rate does not"),
        (options.stages and options.run_time, "--run-time", "--stages", "stages have their own durations"),
        (is_open and options.has_think_time, "--think-time", "--rate or --stages", "only users think"),
        (
            is_open and locust.is_needed,
            "--rate and --stages",
            "--locust, --processes, --master or --worker",
            "Locust has users only",
        ),
        (not is_open and options.arrivals, "--arrivals", "--users", "it needs --rate or --stages"),
        (not is_open and options.max_in_flight, "--max-in-flight", "--users", "it needs --rate or --stages"),
        (
            locust.is_master and (locust.is_worker or locust.processes > 1),
            "--master",
            "--worker or --processes",
            "a master generates no load",
        ),
    )
    for is_wrong, one, other, why in refused:
        if is_wrong:
            raise BadInput(f"{one} cannot be combined with {other}: {why}.")
