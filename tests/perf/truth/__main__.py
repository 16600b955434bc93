"""Judge `choirbook perf` by servers of known behaviour, at full length; keep the figures, and make the page.

Each command replaces the figures that were kept, under `docs/performance/truth/`. On a quiet machine::

    python -m tests.perf.truth six         # six cases in which a load generator is easily wrong: 4 minutes
    python -m tests.perf.truth accuracy    # percentiles beside an independent client: 5 minutes
    python -m tests.perf.truth counts      # failures beside the server's log: 4 minutes
    python -m tests.perf.truth starved     # starved and stopped generators, 20 runs of each: 6 minutes
    python -m tests.perf.truth turns       # p50 beside wrk's: 3 minutes
    python -m tests.perf.truth knee        # capacity of a queue: some minutes
    python -m tests.perf.truth all         # all of these
    python -m tests.perf.truth page        # the page alone
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.perf.truth import accuracy, kept, knee, page, six, starving, turns

COMMANDS = ("six", "accuracy", "counts", "starved", "turns", "knee", "all", "page")
_RUN_S = 20
_COUNT_S = 10
_TURN_S = 5
_ROUNDS = 3
_Row = TypeVar("_Row", bound=msgspec.Struct)


def main(arguments: Sequence[str]) -> None:
    """Run a command."""
    options = _options(arguments)
    for command in COMMANDS[:-2] if options.command == "all" else (options.command,):
        _run(command, options)
        page.main()


def _run(command: str, options: argparse.Namespace) -> None:
    here = kept.here()
    match command:
        case "six":
            made = six.cases(has_open_loop=not options.before)
            name = "six-before" if options.before else "six"
            kept.save(name, kept.Six(environment=here, cases=_shown(made)))
        case "accuracy":
            rows = (accuracy.accuracy(case)[0] for case in accuracy.latency_cases(_RUN_S))
            kept.save("latencies", kept.Latencies(environment=here, cases=_shown(rows)))
        case "counts":
            counts = (accuracy.counts(case)[0] for case in accuracy.failure_cases(_COUNT_S))
            kept.save("counts", kept.Failures(environment=here, cases=_shown(counts)))
        case "starved":
            kept.save("starved", kept.Starvation(environment=here, runs=_shown(_starved(options.runs))))
        case "turns":
            kept.save("turns", kept.Turns(environment=here, turns=_shown(turns.turns(_ROUNDS, _TURN_S))))
        case "knee":
            knees = (knee.knee("--arrivals", arrivals) for arrivals in ("constant", "poisson"))
            kept.save("knee", kept.Knees(environment=here, knees=_shown(knees)))
        case _:
            pass


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.perf.truth")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--before", action="store_true", help="six: without options of the second version.")
    parser.add_argument("--runs", type=int, default=20, help="starved: runs of each kind.")
    return parser.parse_args(arguments)


def _starved(runs: int) -> Iterator[kept.Starved]:
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch:
        slo = Path(scratch) / "slo.toml"
        slo.write_text(starving.SLO, "utf-8")
        load: list[str | Path] = [*accuracy.open_load(4), "--slo", slo]
        for turn in range(runs):
            seen = {
                "two busy loops on its cores": starving.starved(load),
                "stopped for 200 ms": starving.stopped(load, after_requests=400 + 17 * turn),
            }
            for how, each in seen.items():
                reasons = each.report.generator.get("reasons", [])
                yield kept.Starved(how=how, exit_code=each.report.exit_code, reasons=reasons)


def _shown(rows: Iterable[_Row]) -> list[_Row]:
    """Collect rows, and print each as it comes."""
    made: list[_Row] = []
    for row in rows:
        print(row, file=sys.stderr, flush=True)
        made.append(row)
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
