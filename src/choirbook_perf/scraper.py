"""Samples of a server's `/metrics`, if it has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from choirbook_perf.access import Access
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.http_client import fetch
from choirbook_perf.targets import HttpTarget


def scrape(url: str, access: Access | None = None) -> dict[str, float]:
    """Return all samples by name with labels, such as `x_total{kind="a"}`; none without `/metrics`."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return {}
    try:
        response = fetch(HttpTarget(f"{parts.scheme}://{parts.netloc}").read("/metrics"), access)
    except ServerUnreachable:
        return {}
    if response.status != 200:  # noqa: PLR2004
        return {}
    return samples(response.body.decode("utf-8", errors="replace"))


def samples(text: str) -> dict[str, float]:
    """Return the samples of an exposition; empty if it is malformed."""
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError:
        return {}
    return {
        _name(sample.name, sample.labels): sample.value
        for family in families
        for sample in family.samples
        if math.isfinite(sample.value)  # JSON has no other numbers
    }


def _name(name: str, labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name
