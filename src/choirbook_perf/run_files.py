"""Files of the runs that a user names: by file, by directory, or by the name of a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from choirbook_perf import baselines, results
from choirbook_perf.errors import BadInput
from choirbook_perf.results import Result


def load(path: Path) -> Result:
    """Load a result file, or that of the directory of a run.

    Raises:
        BadInput: It cannot be read, has another format, or belongs to another command.
    """
    file = path / "result.json" if path.is_dir() else path
    result = results.load(file)
    if result.kind != "test":
        raise BadInput(
            f"{file} is a result of 'choirbook perf {result.kind}'; only those of 'test' can be compared."
        )
    return result


def load_set(paths: Sequence[Path], machine: str = "") -> list[Result]:
    """Load a set of runs.

    Args:
        paths: Result files, directories of a run or of several, or names of baselines.
        machine: Take those runs of a baseline that are of this machine; of all if "".

    Raises:
        BadInput: One of them cannot be used.
    """
    return [load(file) for path in paths for file in _files(path, machine)]


def _files(path: Path, machine: str) -> list[Path]:
    if not path.exists() and (kept := baselines.runs_of(str(path), machine)):
        return kept
    if path.is_dir() and not (path / "result.json").exists():
        inside = [*sorted(path.glob("*/result.json")), *sorted(path.glob("*.json"))]
        if not inside:
            raise BadInput(
                f"{path} has no result of a run in it. Name a result file, or a directory of runs."
            )
        return inside
    return [path]
