"""Record the pool that shows how often `choirbook perf ab` errs: `python -m benchmarks.ab_pool`.

Half an hour on a quiet machine. First the size of the additional work is calibrated, then slices of the same
server beside itself and of the slower one are recorded, then, with `--complete`, complete comparisons of
each kind are run. What was complete survives an interruption.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks import ab_replay
from benchmarks.ab_replay import SAME, SLOWER, Complete, Pool
from choirbook_perf.ab import judging, progress
from choirbook_perf.ab.results import AbResult, Slice
from choirbook_perf.ab.running import Asked, run
from choirbook_perf.ab.schedule import PAIRS
from choirbook_perf.commands.ab import ROUNDS
from choirbook_perf.own_server import starter_library
from choirbook_perf.stats.decisions import Limits

COST = 0.10
"""Additional processor time per request of the slower server."""

_TRIAL_LOOPS = 500
_CALIBRATION_ROUNDS = 6


def burdened(loops: int) -> str:
    """Return the command of a server with additional work."""
    python, library = shlex.quote(sys.executable), shlex.quote(str(starter_library()))
    return f"{python} -m benchmarks.burdened --port {{port}} --loops {loops} {library}"


def compare(loops: int, rounds: int, options: argparse.Namespace, seed: int) -> AbResult:
    """Compare the server with itself, or with one that does additional work."""
    asked = Asked(
        old=burdened(0),
        new=burdened(loops),
        rounds=rounds,
        pairs=PAIRS,
        rate=options.rate,
        seconds=options.seconds,
        protocol="http",
        era="auto",
        scenario=None,
        library=None,
        workers=1,
        limits=Limits(),
        seed=seed,
        metrics=judging.chosen([]),
    )
    with progress.showing(rounds * (PAIRS + 1) * 2) as watch:
        found = run(asked, watch)
    if found.is_partial:
        sys.exit("Interrupted: slices of an incomplete recording are not kept.")
    return found


def calibrate(measured: Callable[[int], float]) -> tuple[int, float]:
    """Find the number of loops that costs `COST`, and what it did cost in the last trial.

    Args:
        measured: Returns the share of processor time that so many loops cost.
    """
    loops = round(_TRIAL_LOOPS * COST / measured(_TRIAL_LOOPS))
    cost = measured(loops)
    return round(loops * COST / cost), cost


def main() -> int:
    """Record, and return the exit status."""
    options = _options()
    seeds = iter(range(options.seed, options.seed + 1_000_000))

    def cost_of(loops: int) -> float:
        findings = compare(loops, _CALIBRATION_ROUNDS, options, next(seeds)).findings
        change = next((each.change for each in findings if each.metric == judging.CPU), None)
        if change is None or change <= 0:
            sys.exit("The additional work did not show. The machine is too noisy to record a pool.")
        print(f"{loops} loops cost {change:+.1%}", file=sys.stderr)
        return change

    loops, calibrated = calibrate(cost_of)
    recorded = {kind: compare(extra, options.rounds, options, next(seeds)) for kind, extra in _kinds(loops)}
    first = recorded[SAME]
    pool = Pool(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=first.environment,
        load=first.load,
        loops=loops,
        calibrated=round(calibrated, 4),
        same=_compact(recorded[SAME]),
        slower=_compact(recorded[SLOWER]),
    )
    ab_replay.save(pool, options.out)
    for _ in range(options.complete):
        for kind, extra in _kinds(loops):
            done = Complete(kind=kind, findings=compare(extra, ROUNDS, options, next(seeds)).findings)
            pool = msgspec.structs.replace(pool, complete=[*pool.complete, done])
            ab_replay.save(pool, options.out)
    print(told(pool))
    return 0


def _kinds(loops: int) -> tuple[tuple[str, int], tuple[str, int]]:
    return (SAME, 0), (SLOWER, loops)


def _compact(found: AbResult) -> list[Slice]:
    """Return the slices with as many digits as they mean something."""

    def digits(value: float | None, places: int) -> float | None:
        return None if value is None else round(value, places)

    return [
        each._replace(
            cpu_us=digits(each.cpu_us, 3),
            rate=round(each.rate, 1),
            p50_ms=digits(each.p50_ms, 3),
            p95_ms=digits(each.p95_ms, 3),
            p99_ms=digits(each.p99_ms, 3),
            lateness="late" if each.lateness else "",
        )
        for each in found.slices
    ]


def told(pool: Pool) -> str:
    """Describe what comparisons drawn from a pool say, and what complete ones did."""
    lines = []
    for kind, slices in ((SAME, pool.same), (SLOWER, pool.slower)):
        replayed = ab_replay.replay(slices, 100, ROUNDS, judging.chosen([]))
        for metric in dict.fromkeys(each.metric for findings in replayed for each in findings):
            counts = ab_replay.outcomes(replayed, metric)
            lines.append(
                f"{kind}, 100 drawn from {ab_replay.counted(slices)} slices, {metric}: {dict(counts)}"
            )
        done = Counter(each.findings[0].outcome for each in pool.complete if each.kind == kind)
        if done:
            lines.append(f"{kind}, complete comparisons, {judging.CPU}: {dict(done)}")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ab_pool", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="rounds of each kind (default 50: 300 slices)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a slice (default 2)")
    parser.add_argument("--rate", type=float, default=2000, help="requests per second (default 2000)")
    parser.add_argument(
        "--complete", type=int, default=0, help="complete comparisons of each kind (default 0)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order of the slices")
    parser.add_argument("--out", type=Path, default=ab_replay.POOL, help="file of the pool")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
