"""Check that modules and functions are small enough to be read at one sitting.

Counts lines from `def` to the end of the body, without the docstring. Prints `file:line` of those that are
too long, and exits with 1 if there are any.
"""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 80
MEDIAN_FUNCTION_LINES = 10  # the median must stay below

Function = ast.FunctionDef | ast.AsyncFunctionDef


def span(node: ast.stmt) -> int:
    """Return the number of lines of a statement."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def function_lines(function: Function) -> int:
    """Return the number of lines of a function without its docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    return span(function) - (span(function.body[0]) if documented else 0)


def functions(source: str) -> Iterator[Function]:
    """Yield every function of a module, nested ones and methods too."""
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, Function))


def module_problems(name: str, source: str) -> Iterator[str]:
    """Yield a line for the module, and one for each of its functions, that is too long."""
    if (lines := len(source.splitlines())) > MAX_MODULE_LINES:
        yield f"{name}:1: module has {lines} lines, at most {MAX_MODULE_LINES}"
    for function in functions(source):
        if (lines := function_lines(function)) > MAX_FUNCTION_LINES:
            yield f"{name}:{function.lineno}: {function.name} has {lines} lines, at most {MAX_FUNCTION_LINES}"


def main() -> int:
    """Check all modules under src/, and return the exit status."""
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}
    problems = [problem for name in sorted(sources) for problem in module_problems(name, sources[name])]
    sizes = [function_lines(function) for source in sources.values() for function in functions(source)]
    median = statistics.median(sizes or [0])
    if median >= MEDIAN_FUNCTION_LINES:
        problems.append(
            f"src: the median function has {median:g} lines, which must be under {MEDIAN_FUNCTION_LINES}"
        )
    print(*problems, f"Sizes: {len(sizes)} functions, median {median:g} lines", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
