"""Plant bugs in a copy of the checkout and say which of them the tests notice: `task test:mutants`.

Without options, a sample of each module is judged. The first run records which tests execute which functions,
which takes as long as those tests do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutants import children
from tests.mutants.judging import Judge, Verdict
from tests.mutants.operators import Mutant, mutants
from tests.mutants.plan import Accepted, Area, read_accepted, read_areas, sample, stale
from tests.mutants.recording import Recordings, test_files
from tests.mutants.reporting import as_json, line, summary, survivor
from tests.mutants.tree import Tree, claimed

ROOT = Path(__file__).resolve().parents[2]
TARGET = 85


def main(arguments: Sequence[str]) -> int:
    """Run the program; the exit status is 1 if the score is below the target or an acceptance is stale."""
    options = _options(arguments)
    root: Path = options.root.resolve()
    here = root / "tests" / "mutants"
    known = read_areas((here / "areas.toml").read_bytes())
    areas = _chosen(known, options.area)
    accepted = read_accepted((here / "accepted.toml").read_bytes())
    cache = root / ".cache" / "mutants"
    children.warm_up()
    with claimed(cache, root) as tree:
        recordings = Recordings(
            tree.root, cache, [module for area in known.values() for module in area.modules]
        )
        files = test_files(tree.root, [name for area in areas.values() for name in area.tests])
        _record(recordings, files, tree, anew=options.record)
        # What other areas have recorded already costs nothing to load, and may notice a bug, too.
        recordings.missing(test_files(tree.root, [name for area in known.values() for name in area.tests]))
        planned = _planned(root, areas, accepted, options)
        judge = Judge(tree, recordings, cache, options.budget)
        verdicts: dict[str, list[Verdict]] = {name: [] for name in areas}
        for area, verdict in _judged(judge, planned):
            verdicts[area].append(verdict)
    outdated = _outdated(root, areas, accepted)
    if options.json:
        options.json.write_bytes(as_json(verdicts, options.seed))
    print(
        *(survivor(each, root) for of in verdicts.values() for each in of if not each.fate.is_noticed),
        sep="\n",
    )
    text, is_good = summary(verdicts, accepted.values(), outdated, TARGET)
    print(text)
    return 0 if is_good else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--area", action="append", metavar="NAME", help="only this area; may be given again")
    parser.add_argument(
        "--module", action="append", metavar="TEXT", help="only modules with this in their path"
    )
    parser.add_argument(
        "--per-module", type=int, default=6, metavar="N", help="mutants of a module (default: 6)"
    )
    parser.add_argument("--all", action="store_true", help="every mutant instead of a sample: takes hours")
    parser.add_argument("--budget", type=float, default=15, metavar="S", help="seconds of tests for a mutant")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another sample (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all verdicts in a file")
    parser.add_argument("--record", action="store_true", help="record anew which tests execute what")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="another checkout")
    return parser.parse_args(arguments)


def _chosen(areas: dict[str, Area], names: list[str] | None) -> dict[str, Area]:
    if unknown := set(names or ()) - set(areas):
        sys.exit(f"tests.mutants: no area {', '.join(sorted(unknown))}; there are {', '.join(areas)}.")
    return {name: area for name, area in areas.items() if not names or name in names}


def _record(recordings: Recordings, files: Sequence[str], tree: Tree, *, anew: bool) -> None:
    for file in files if anew else recordings.missing(files):
        started = time.monotonic()
        status = recordings.record(file, tree.root)
        tests = len(recordings.by_file[file].seconds)
        print(
            f"recorded {file}: {tests} tests, status {status}, {time.monotonic() - started:.0f} s", flush=True
        )


def _planned(
    root: Path, areas: dict[str, Area], accepted: dict[str, Accepted], options: argparse.Namespace
) -> list[tuple[str, Mutant]]:
    planned: list[tuple[str, Mutant]] = []
    for name, area in areas.items():
        for module in area.modules:
            if options.module and not any(text in module for text in options.module):
                continue
            found = [
                each for each in mutants(module, (root / module).read_bytes()) if each.name not in accepted
            ]
            count = len(found) if options.all else options.per_module
            planned += [(name, mutant) for mutant in sample(found, count, options.seed)]
    return planned


def _judged(judge: Judge, planned: Sequence[tuple[str, Mutant]]) -> Iterator[tuple[str, Verdict]]:
    for number, (area, mutant) in enumerate(planned, start=1):
        started = time.monotonic()
        verdict = judge.judge(mutant)
        print(line(number, len(planned), area, verdict, time.monotonic() - started), flush=True)
        yield area, verdict


def _outdated(root: Path, areas: dict[str, Area], accepted: dict[str, Accepted]) -> list[Accepted]:
    modules = {module for area in areas.values() for module in area.modules}
    present = [each for module in modules for each in mutants(module, (root / module).read_bytes())]
    return stale([entry for entry in accepted.values() if entry.module in modules], present)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
