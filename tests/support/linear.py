"""Hold a parser to a time that grows with its input, and no faster."""

from collections.abc import Callable
from time import process_time

Parse = Callable[[str], object]

FIRST = 512
"""Characters of the first input: a parser that needs their cube takes a second, not hours."""

GROWTH = 4
"""Between two inputs. A quadratic parser takes sixteen times as long."""

FLOOR_S = 0.02
"""Time for other load on the machine, and for one-time costs such as imports and tables, in seconds."""

ROUNDS = 5
"""The least of so many counts: what else the machine does can only add."""

SLACK = 2.5
"""By how much growth may differ from that of the input."""


def cpu_s(parse: Parse, text: str, enough_s: float) -> float:
    """Return the least processor time of some rounds; the first that is short enough will do."""
    least = float("inf")
    for _ in range(ROUNDS):
        start_s = process_time()
        parse(text)
        least = min(least, process_time() - start_s)
        if least <= enough_s:
            break
    return least


def hold(parse: Parse, make: Callable[[int], str], us_per_character: float, largest: int) -> None:
    """Fail unless a parser is linear in inputs of growing length.

    Args:
        parse: Takes an input.
        make: Makes one of about so many characters.
        us_per_character: What it may cost: several times what it does.
        largest: Characters of the longest input.
    """
    size, before_s = FIRST, 0.0
    while size <= largest:
        text = make(size)
        allowed_s = FLOOR_S + size * us_per_character * 1e-6
        # What grew as it should needs no second count.
        linear_s = max(FLOOR_S, SLACK * GROWTH * before_s)
        taken_s = cpu_s(parse, text, min(allowed_s, linear_s))
        assert taken_s <= allowed_s, f"{size} characters took {taken_s:.3f} s, more than {allowed_s:.3f} s"
        grown = taken_s / max(before_s, FLOOR_S / GROWTH)
        assert grown <= SLACK * GROWTH, (
            f"{size} characters took {taken_s:.3f} s, a {GROWTH}th {before_s:.3f} s"
        )
        size, before_s = size * GROWTH, taken_s
