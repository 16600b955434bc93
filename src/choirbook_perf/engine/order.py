"""The load that the engine is to make, and its transfer to the process that makes it. Values."""

from __future__ import annotations

import msgspec

from choirbook_perf.plan import Plan
from choirbook_perf.results import Floor, RateStage

CONSTANT = "constant"
POISSON = "poisson"

MAX_IN_FLIGHT = 10_000
"""Requests under way at once, each with a connection: enough for a stall of 2 s at 5,000 per second, below
the number of ports of an address, 28,000."""
TIMEOUT_S = 30.0
DRAIN_S = 5.0
WARM_UP_S = 2.0


class OpenLoad(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """Requests that come at a rate, whatever the server does."""

    stages: tuple[RateStage, ...]
    arrivals: str = CONSTANT
    """`constant`: equal distances. `poisson`: as from many independent clients."""
    max_in_flight: int = MAX_IN_FLIGHT
    warm_up_s: float = WARM_UP_S
    """Before the first stage, at its rate."""

    def measured_s(self) -> float:
        """Return the length of what is measured."""
        return sum(stage.duration_s for stage in self.stages)

    def total_s(self) -> float:
        """Return the length of the load."""
        return self.warm_up_s + self.measured_s()

    def highest_rate(self) -> float:
        """Return the highest rate of a stage, per second."""
        return max(stage.rate for stage in self.stages)


class ClosedLoad(msgspec.Struct, frozen=True, kw_only=True, tag="closed"):
    """Users who wait for an answer, think, and go on."""

    users: int
    run_time_s: float
    spawn_rate: float
    """New users per second."""
    warm_up_s: float = WARM_UP_S
    """After the last user started."""

    @property
    def ramp_s(self) -> float:
        """Time until all users have started."""
        return (self.users - 1) / self.spawn_rate

    def measured_s(self) -> float:
        """Return the length of what is measured."""
        return self.run_time_s

    def total_s(self) -> float:
        """Return the length of the load."""
        return self.ramp_s + self.warm_up_s + self.run_time_s


Load = OpenLoad | ClosedLoad


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the process needs to know."""

    plan: Plan
    load: Load
    seed: int
    """Seed of arrivals, think times and the choice of operations."""
    timeout_s: float = TIMEOUT_S
    """After it a request counts as failed, with this latency."""
    drain_s: float = DRAIN_S
    """How long to wait for answers after the last request."""
    null_url: str = ""
    """Server that does nothing, to measure the floor at; "" to measure none."""
    floor: Floor | None = None
    """Floor that was measured before."""
