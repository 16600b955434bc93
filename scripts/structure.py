"""Measure how a package is laid out: names directly under it, levels of imports, and import cycles.

Reads the source of a checkout and imports nothing from it, so that an older or newer tree can be measured
too. Each name directly under the package, a module or a directory, is one node; its level is the length of
the longest chain of imports down from it. Every `import` statement counts, whether it is at the top of a
module, inside a function, or under `if TYPE_CHECKING`.

The package's `__init__` and `__main__` are not names: the first re-exports, and an import from it counts as
an import from the module that has the name. Prints a report, and exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tomllib
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

Graph = Mapping[str, set[str]]
"""Nodes, each with the nodes that it imports."""


class Import(NamedTuple):
    """One import of a module of the package by another."""

    importer: str
    imported: str
    line: int


@dataclass(frozen=True, slots=True)
class Structure:
    """The figures of one package."""

    package: str
    names: list[str]
    levels: list[list[str]]
    """Names by level, the lowest first. Names in one cycle share a level."""
    longest: list[str]
    """One of the longest chains of imports, from the top down."""
    name_cycles: list[list[str]]
    module_cycles: list[list[str]]
    """Each cycle once, its first member not repeated at the end: every import that is part of a cycle is in
    at least one of those listed."""


def package_of(tree: Path) -> str:
    """Return the name of a checkout's package, which is that of its distribution."""
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name: str = project["name"]
    return name.replace("-", "_").replace(".", "_").lower()


def names_under(directory: Path) -> list[str]:
    """Return the names of modules and directories directly under a package, data directories too."""
    entries = [path for path in directory.iterdir() if path.is_dir() or path.suffix == ".py"]
    return sorted(path.stem for path in entries if not path.name.startswith((".", "__")))


def modules_under(directory: Path, package: str) -> dict[str, ast.Module]:
    """Return the syntax trees of all modules, by dotted name; that of a package is its `__init__`."""
    found = {}
    for path in sorted(directory.rglob("*.py")):
        parts = (package, *path.relative_to(directory).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports_of(modules: Mapping[str, ast.Module], directory: Path, package: str) -> Iterator[Import]:
    """Yield every import within the package, but for those of its `__init__` and `__main__`."""
    homes = _re_exported(modules.get(package, ast.Module([], [])), package)
    packages = {name for name in modules if (directory.parent / Path(*name.split("."))).is_dir()}
    for importer, module in modules.items():
        if importer in {package, f"{package}.__main__"}:
            continue
        for node in ast.walk(module):
            for target in _targets(node, importer, is_package=importer in packages):
                imported = _module_of(target, modules, homes, package)
                if imported not in {None, importer}:
                    yield Import(importer, str(imported), getattr(node, "lineno", 0))


def _re_exported(init: ast.Module, package: str) -> dict[str, str]:
    """Return where the names come from that the package's own `__init__` re-exports."""
    nodes = [node for node in ast.walk(init) if isinstance(node, ast.ImportFrom)]
    return {
        f"{package}.{alias.asname or alias.name}": _absolute(node, package, is_package=True)
        for node in nodes
        for alias in node.names
    }


def _absolute(node: ast.ImportFrom, importer: str, *, is_package: bool) -> str:
    """Return the module that a `from` names, a relative one as an absolute one."""
    if not node.level:
        return node.module or ""
    parts = importer.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def _targets(node: ast.AST, importer: str, *, is_package: bool) -> Iterator[str]:
    """Yield the dotted names that a statement imports: modules, or members of modules."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, importer, is_package=is_package)
        yield from (f"{module}.{alias.name}" for alias in node.names)


def _module_of(
    target: str, modules: Mapping[str, ast.Module], homes: Mapping[str, str], package: str
) -> str | None:
    """Return the module of the package that a dotted name is, or is a member of."""
    for name in (target, target.rpartition(".")[0]):
        if name == package:
            # A constant of the package, such as its version, is no import of anything beneath it.
            return homes.get(target)
        if name in modules:
            return name
    return None


def strong_components(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that import each other, directly or not; most have one member."""
    reached = {node: _reach(node, graph) for node in graph}
    found, seen = [], set[str]()
    for node in sorted(graph):
        if node not in seen:
            group = {node} | {each for each in reached[node] if node in reached[each]}
            seen |= group
            found.append(sorted(group))
    return found


def _reach(start: str, graph: Graph) -> set[str]:
    found: set[str] = set()
    todo = list(graph[start])
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += graph[node]
    return found


def cycles(graph: Graph) -> list[list[str]]:
    """Return, for each import that is part of a cycle, the shortest cycle that it is part of."""
    found = set()
    for group in strong_components(graph):
        inside = set(group)
        edges = [(node, other) for node in group for other in sorted(graph[node] & inside)]
        for node, other in edges:
            found.add(_rotated(_path(other, node, graph)))
    return sorted((list(cycle) for cycle in found), key=lambda cycle: (len(cycle), cycle))


def _path(start: str, end: str, graph: Graph) -> list[str]:
    """Return a shortest path between two nodes of a group, both included."""
    before = {start: start}
    todo = deque([start])
    while end not in before:
        node = todo.popleft()
        for other in sorted(graph[node]):
            if other not in before:
                before[other] = node
                todo.append(other)
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def _rotated(cycle: list[str]) -> tuple[str, ...]:
    """Begin a cycle with its first member by name, so that it is found once only."""
    first = cycle.index(min(cycle))
    return (*cycle[first:], *cycle[:first])


def levels(graph: Graph) -> tuple[list[list[str]], list[str]]:
    """Return the nodes by level, the lowest first, and one of the longest chains from the top down."""
    groups = {member: group[0] for group in strong_components(graph) for member in group}
    below = {group: set[str]() for group in groups.values()}
    for node, imported in graph.items():
        below[groups[node]] |= {groups[each] for each in imported} - {groups[node]}
    level: dict[str, int] = {}
    for group in TopologicalSorter(below).static_order():
        level[group] = 1 + max((level[each] for each in below[group]), default=0)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=0))]
    for node in sorted(graph):
        rows[level[groups[node]] - 1].append(node)
    return rows, _longest(level, below)


def _longest(level: Mapping[str, int], below: Graph) -> list[str]:
    chain: list[str] = []
    following = set(level)
    while following:
        chain.append(min(following, key=lambda node: (-level[node], node)))
        following = below[chain[-1]]
    return chain


def measure(tree: Path, package: str) -> Structure:
    """Measure a package under the `src` of a checkout."""
    directory = tree / "src" / package
    modules = modules_under(directory, package)
    names = names_under(directory)
    by_name: dict[str, set[str]] = defaultdict(set)
    by_module: dict[str, set[str]] = {name: set() for name in modules}
    # A directory without modules, such as one of documents, is a name, but imports nothing and has no level.
    by_name |= {name.split(".")[1]: set() for name in modules if name.count(".") and "__main__" not in name}
    for each in imports_of(modules, directory, package):
        by_module[each.importer].add(each.imported)
        importer, imported = each.importer.split(".")[1], each.imported.split(".")[1]
        if importer != imported:
            by_name[importer].add(imported)
    rows, longest = levels(by_name)
    return Structure(package, names, rows, longest, cycles(by_name), cycles(by_module))


def report(found: Structure) -> Iterator[str]:
    """Yield the lines of a report for people."""
    yield (
        f"src/{found.package}: {len(found.names)} names, {len(found.levels)} levels, "
        f"{len(found.name_cycles)} cycles of names, {len(found.module_cycles)} cycles of modules"
    )
    yield "names: " + " ".join(found.names)
    for number in range(len(found.levels), 0, -1):
        yield f"level {number}: " + " ".join(found.levels[number - 1])
    yield "longest chain: " + " -> ".join(found.longest)
    for kind, listed in (("names", found.name_cycles), ("modules", found.module_cycles)):
        for cycle in listed:
            yield f"cycle of {kind}: " + " -> ".join([*cycle, cycle[0]])


def exceeded(found: Structure, options: argparse.Namespace) -> Iterator[str]:
    """Yield a line for each limit that is exceeded."""
    for what, count, limit in (
        ("names", len(found.names), options.max_names),
        ("levels", len(found.levels), options.max_levels),
        ("cycles of names", len(found.name_cycles), options.max_cycles),
        ("cycles of modules", len(found.module_cycles), options.max_cycles),
    ):
        if limit is not None and count > limit:
            yield f"src/{found.package} has {count} {what}, at most {limit}"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="scripts/structure", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "tree", nargs="?", type=Path, default=ROOT, metavar="TREE", help="a checkout, by default this one"
    )
    parser.add_argument("--package", metavar="NAME", help="another package than pyproject.toml names")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--brief", action="store_true", help="print the first line of the report only")
    parser.add_argument("--max-names", type=int, metavar="N")
    parser.add_argument("--max-levels", type=int, metavar="N")
    parser.add_argument("--max-cycles", type=int, metavar="N")
    options = parser.parse_args(arguments)
    if not (options.tree / "pyproject.toml").is_file():
        parser.error(f"{options.tree} has no pyproject.toml: name the root of a checkout")
    options.package = options.package or package_of(options.tree)
    if not (options.tree / "src" / options.package).is_dir():
        parser.error(f"{options.tree} has no package src/{options.package}")
    return options


def main(arguments: list[str]) -> int:
    """Measure, print, and return the exit status."""
    options = parse(arguments)
    found = measure(options.tree, options.package)
    lines = [json.dumps(asdict(found), indent=2)] if options.json else list(report(found))
    print(*(lines[:1] if options.brief else lines), sep="\n")
    problems = list(exceeded(found, options))
    if problems:
        print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
