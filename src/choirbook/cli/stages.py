"""`choirbook stages`: print measurements or call counts."""

from __future__ import annotations

from choirbook.bench.calls import count_calls
from choirbook.bench.stages import measure
from choirbook.cli.output import say, say_json

_MOST = 15
"""Maximum number of functions shown for each kind of request; `--json` has them all."""


def print_stages(batches: int, document_bytes: int, *, as_json: bool) -> None:
    """Measure the stages and print them."""
    found = measure(batches, document_bytes)
    if as_json:
        say_json(found, indent=1)
        return
    say(f"{'stage':<26}{'us':>9}{'(quartiles)':>20}  measures")
    for stage in found.stages:
        quartiles = f"({stage.low_us:.2f}-{stage.high_us:.2f})"
        say(f"{stage.path + ' ' + stage.stage:<26}{stage.us:>9.2f}{quartiles:>20}  {stage.measures}")


def print_calls(requests: int, document_bytes: int, *, as_json: bool) -> None:
    """Count the calls and print them."""
    found = count_calls(requests, document_bytes)
    if as_json:
        say_json(found, indent=1)
        return
    for drive in found.drives:
        say(f"{drive.request}, {drive.requests} requests")
        say(f"{'calls':>9}{'own us':>9}{'total us':>9}  function")
        for function in drive.functions[:_MOST]:
            say(
                f"{function.calls_per_request:>9.2f}{function.own_us:>9.2f}{function.cumulative_us:>9.2f}"
                f"  {function.function}"
            )
