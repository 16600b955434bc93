"""Check that two servers get the same requests and give the same content. Pure."""

from __future__ import annotations

from choirbook_perf import plan as plans
from choirbook_perf.errors import BadInput
from choirbook_perf.plan import Plan
from choirbook_perf.targets import Operation

_PLACE = "http://127.0.0.1"
"""Where both plans are moved to, so that only other differences remain."""


def check(old: Plan, new: Plan) -> None:
    """Check that both servers get the same requests and give the same content.

    Raises:
        BadInput: They do not, so that a difference would say nothing.
    """
    for name in ("protocol", "era", "scenario"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            raise BadInput(f"The servers cannot be compared: {name} is {before!r} and {after!r}.")
    olds, news = _placed(old), _placed(new)
    if len(olds) != len(news):
        raise BadInput(
            f"The servers cannot be compared: they have {len(olds)} and {len(news)} things to read. Let both "
            "serve the same library, or name what to read with --scenario."
        )
    for mine, other in zip(olds, news, strict=True):
        if mine.request != other.request or mine.name != other.name:
            raise BadInput(
                f"The servers cannot be compared: one is asked for {mine.name}, the other for {other.name}. "
                "Name what to read with --scenario."
            )
        if mine.expected and other.expected and mine.expected != other.expected:
            raise BadInput(
                f"The servers cannot be compared: their content of {mine.name} differs, "
                f"{mine.expected.length} and {other.expected.length} bytes. Let both serve the same library."
            )


def _placed(plan: Plan) -> list[Operation]:
    return list(plans.moved(plan, _PLACE).operations())
