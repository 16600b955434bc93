"""Check that the product's former name is gone: from the text of all files, and from their paths.

It belongs to another program now, so what still has it would run, configure or link to that one
(docs/adr/0019-the-product-is-named-choirbook.md). Prints `file:line`, and exits with 1 on a find.
Run it as `python -m scripts.check_names`.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from scripts.check_hygiene import CONTEXT, ROOT, project_files

FORMER = re.compile("car" + "rel", re.IGNORECASE)

ALLOWED = {
    "CHANGELOG.md": "says that the name was changed",
    "docs/adr/0019-the-product-is-named-choirbook.md": "says why",
    ".git-blame-ignore-revs": "names the commit that changed it",
}
"""Files that may have the name, each with its reason."""


def problems(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield a line for each find; the bytes of binary files are not searched.

    Args:
        root: The checkout.
        names: Paths of its files, relative to it.
    """
    for name in names:
        if name in ALLOWED:
            continue
        if FORMER.search(name):
            yield f"{name}: the path has the former name"
        try:
            lines = (root / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            if found := FORMER.search(line):
                # A kept result is one line of many thousand characters.
                near = line[max(0, found.start() - CONTEXT) : found.end() + CONTEXT].strip()
                yield f"{name}:{number}: the former name: {near}"


def main() -> int:
    """Check all files of the project, and return the exit status."""
    names = project_files()
    found = list(problems(ROOT, names))
    print(*found, f"Names: {len(names)} files, {len(found)} finds", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
