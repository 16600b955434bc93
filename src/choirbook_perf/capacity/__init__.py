"""The highest rate at which a server keeps its SLO: search, result, page."""

from choirbook_perf.capacity.results import Capacity, Point
from choirbook_perf.capacity.search import Search

__all__ = ["Capacity", "Point", "Search"]
