"""Counters of all workers, summed over their labels."""

from __future__ import annotations

from collections import Counter

from choirbook.observe.shared_metrics import SharedMetrics


def totals(shared_metrics: SharedMetrics) -> Counter[str]:
    """Sum every series of one cell by its metric's name, slots of dead workers included.

    The results are correct for counters, but not for gauges; histograms are omitted.
    """
    found: Counter[str] = Counter()
    for _, series in shared_metrics.slots():
        for each in series:
            if len(each.values) == 1:
                found[each.name.partition("\x1f")[0]] += int(each.values[0])
    return found
