"""Counters of all workers, added up over their labels."""

from __future__ import annotations

from collections import Counter

from choirbook.observe.cells import Cells


def totals(cells: Cells) -> Counter[str]:
    """Add up every series of one cell by its metric's name, slots of workers that are gone included.

    What is a counter is right; a gauge is not, and a histogram is left out.
    """
    found: Counter[str] = Counter()
    for _, series in cells.slots():
        for each in series:
            if len(each.values) == 1:
                found[each.name.partition("\x1f")[0]] += int(each.values[0])
    return found
