"""Formatting of numbers for people: three significant digits, always with a unit. Pure."""

from __future__ import annotations

import math

MISSING = "\N{EN DASH}"
"""Text for a missing number; never a zero."""

SIGNIFICANT_DIGITS = 3


def significant(value: float | None) -> str:
    """Format a number with three significant digits, thousands separated."""
    if value is None or math.isnan(value):
        return MISSING
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    places = max(0, SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def milliseconds(value_ms: float | None) -> str:
    """Format a latency for a column whose heading gives milliseconds as unit."""
    return significant(value_ms)


def latency(value_ms: float) -> str:
    """Format a latency with a suitable unit, as on an axis."""
    if value_ms >= 1000:  # noqa: PLR2004 milliseconds of a second
        return f"{value_ms / 1000:g} s"
    if value_ms >= 1:
        return f"{value_ms:g} ms"
    return f"{value_ms * 1000:g} µs"


def whole(value: float | None) -> str:
    """Format a count."""
    return MISSING if value is None or math.isnan(value) else f"{value:,.0f}"


def percent(ratio: float | None) -> str:
    """Format a ratio of 0 to 1 as a percentage; values below 1 never round to 100%."""
    if ratio is None or math.isnan(ratio):
        return MISSING
    text = f"{ratio * 100:.2f}"
    if text == "100.00" and ratio < 1:
        text = "99.99"
    return f"{text.rstrip('0').rstrip('.')}%"


def bytes_(count: float) -> str:
    """Format a number of bytes in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 of one unit in the next
            return f"{significant(count)} {unit}"
        count /= 1024
    return f"{significant(count)} GiB"


def clock(second: float) -> str:
    """Format a time since the start, as on an axis: `45 s`, `2:30`."""
    whole_s = round(second)
    return f"{whole_s} s" if whole_s < 60 else f"{whole_s // 60}:{whole_s % 60:02d}"  # noqa: PLR2004 of a minute
