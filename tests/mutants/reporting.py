"""Put verdicts into words and JSON. Pure, but for the sources that survivors are shown in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.mutants.judging import Fate, Verdict
from tests.mutants.plan import Accepted


def line(number: int, count: int, area: str, verdict: Verdict, seconds: float) -> str:
    """Return the line of progress for one mutant."""
    mutant = verdict.mutant
    what = f"{mutant.module}:{mutant.line} {mutant.operator}"
    return f"[{number}/{count}] {area}: {verdict.fate} {what} ({seconds:.1f} s) {verdict.by}".rstrip()


def survivor(verdict: Verdict, root: Path) -> str:
    """Show a survivor: where it is, how many tests ran, and the difference."""
    mutant = verdict.mutant
    left_out = f", {verdict.left_out} slower ones left out" if verdict.left_out else ""
    where = f"{mutant.module}:{mutant.line} in {mutant.function or 'the module'}"
    head = (
        f"\n{verdict.fate}: {where}: {mutant.operator} (nth = {mutant.nth}, {verdict.tests} tests{left_out})"
    )
    return f"{head}\n{mutant.diff((root / mutant.module).read_bytes())}"


def score(verdicts: Iterable[Verdict]) -> tuple[int, int]:
    """Return how many mutants were noticed, of how many."""
    fates = Counter(verdict.fate for verdict in verdicts)
    return fates[Fate.KILLED] + fates[Fate.TIMED_OUT], fates.total()


def summary(
    verdicts: Mapping[str, Sequence[Verdict]],
    accepted: Iterable[Accepted],
    outdated: Sequence[Accepted],
    target: int,
) -> tuple[str, bool]:
    """Return the table of areas with what is wrong, and whether nothing is."""
    rows = [f"\n{'area':<10} {'noticed':>8} {'planted':>8} {'score':>7}"]
    everything = [verdict for of in verdicts.values() for verdict in of]
    for area, of in [*verdicts.items(), ("all", everything)]:
        noticed, planted = score(of)
        rows.append(f"{area:<10} {noticed:>8} {planted:>8} {_percent(noticed, planted):>7}")
    rows.append(f"accepted survivors, which are not planted: {len(list(accepted))}")
    rows += [
        f"stale entry of accepted.toml: {entry.module}, {entry.function}: {entry.operator} {entry.before!r}."
        " The code has changed: remove the entry, or describe the mutant as it is now."
        for entry in outdated
    ]
    noticed, planted = score(everything)
    is_reached = noticed * 100 >= target * planted
    if not is_reached:
        rows.append(f"below the target of {target} %: add tests that notice the survivors above.")
    return "\n".join(rows), is_reached and not outdated


def as_json(verdicts: Mapping[str, Sequence[Verdict]], seed: int) -> bytes:
    """Return all verdicts and the score of each area."""
    areas = {
        area: {"noticed": score(of)[0], "planted": score(of)[1], "verdicts": of}
        for area, of in verdicts.items()
    }
    return msgspec.json.format(msgspec.json.encode({"seed": seed, "areas": areas}), indent=1)


def _percent(noticed: int, planted: int) -> str:
    return f"{100 * noticed / planted:.0f} %" if planted else "-"
