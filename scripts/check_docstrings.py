"""Check that docstrings begin like plain technical English: a verb, or the name of the thing.

A docstring that begins with "Have", "What" or "Of" describes around the thing instead of naming it; so does a
module's that begins with "How", "Where", "Who" or "Whether". Checks modules, classes, functions and
attributes. Prints `file:line`, and exits with 1 if it finds any.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("src", "tests", "benchmarks", "scripts", "examples")

REFUSED = re.compile(r"\s*(Have|What|Of)\b")
REFUSED_OF_MODULES = re.compile(r"\s*(How|Where|Who|Whether)\b")

ADVICE = "write a verb (functions), a noun phrase (classes, attributes), or what is inside (modules)"


def docstrings(module: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string that stands alone as a statement, in the order of the file."""
    alone = (node.value for node in ast.walk(module) if isinstance(node, ast.Expr))
    strings = [value for value in alone if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    yield from sorted(strings, key=lambda string: string.lineno)


def problems(name: str, source: str) -> Iterator[str]:
    """Yield a line for each docstring of a module that begins with a refused word."""
    module = ast.parse(source)
    for docstring in docstrings(module):
        text = str(docstring.value)
        found = REFUSED.match(text)
        if module.body[0].lineno == docstring.lineno:
            found = found or REFUSED_OF_MODULES.match(text)
        if found:
            yield f'{name}:{docstring.lineno}: docstring begins with "{found[1]}": {ADVICE}'


def main() -> int:
    """Check all Python files of the project, and return the exit status."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths}
    found = [problem for name, source in sources.items() for problem in problems(name, source)]
    print(*found, f"Docstrings: {len(sources)} files, {len(found)} problems", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
