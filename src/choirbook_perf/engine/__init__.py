"""The load generator: makes a load in a process of its own, and says whether it was fast enough itself."""

from choirbook_perf.engine.order import CONSTANT, POISSON, ClosedLoad, Load, OpenLoad
from choirbook_perf.engine.starting import run
from choirbook_perf.engine.validity import FLOOR_FACTOR, is_attributable

__all__ = [
    "CONSTANT",
    "FLOOR_FACTOR",
    "POISSON",
    "ClosedLoad",
    "Load",
    "OpenLoad",
    "is_attributable",
    "run",
]
