"""Check that the project's files contain nothing specific to one machine.

That is: a host or a path in the files that pin versions, an absolute path of a home or work directory, or
tabs and trailing spaces in Python files. Prints `file:line`, and exits with 1 if it finds any.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PINS = re.compile(r"(constraints[^/]*\.txt|package[^/]*\.json|\.lock|Cargo\.toml|go\.(mod|sum))$")
HOST = re.compile(r"://|file:|\s@\s|--(index-url|extra-index-url|find-links|trusted-host)|^-[efi]\b")
PLACE = re.compile(r"(?<![\w.}])/(root|home|work|tmp/pytest)(/|-of-)")
SPACES = re.compile(r"\t|[ \t]+$")

CONTEXT = 60  # characters shown on either side of a match


def project_files() -> list[str]:
    """Return the files that git tracks, or would track."""
    # A CI checkout may belong to another user than the one who runs this, which git distrusts.
    trust = ["-c", f"safe.directory={ROOT}"]
    command = ["git", *trust, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listing.split("\0") if (ROOT / name).is_file())


def problems(name: str) -> Iterator[str]:
    """Yield a line for each problem of a file; binary files have none."""
    try:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    rules = [("a machine-specific path", PLACE)]
    rules += [("a host or place to install from", HOST)] if PINS.search(name) else []
    rules += [("a tab or trailing space", SPACES)] if name.endswith(".py") else []
    for number, line in enumerate(lines, start=1):
        for what, rule in rules:
            if found := rule.search(line):
                # A kept result is one line of many thousand characters.
                near = line[max(0, found.start() - CONTEXT) : found.end() + CONTEXT].strip()
                yield f"{name}:{number}: {what}: {near}"


def main() -> int:
    """Check all files of the project, and return the exit status."""
    names = project_files()
    found = [problem for name in names for problem in problems(name)]
    print(*found, f"Hygiene: {len(names)} files, {len(found)} problems", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
