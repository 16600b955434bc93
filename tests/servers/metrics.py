"""The metrics page, read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

LOADING = "mcp_resource_loading_latency_seconds"


class Sample(NamedTuple):
    """One line of the page."""

    name: str
    labels: dict[str, str]
    value: float


def metrics(client: httpx.Client) -> list[Sample]:
    """Return all samples of a server."""
    page = client.get("/metrics").raise_for_status().text
    families = text_string_to_metric_families(page)
    return [
        Sample(sample.name, sample.labels, sample.value) for family in families for sample in family.samples
    ]


def count(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """Return the value of exactly one sample."""
    (found,) = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    return found


def total(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """Add up the samples that have these labels among theirs."""
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())
