"""Make mutants of a module: small bugs, each a replacement of a few bytes of its source. Pure.

The operators are chosen for what tests of a server tend to miss: limits that are off by one, counters that
are not decremented, cleanup that does not happen, errors that vanish.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SWAPPED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
}
_NEGATED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.In: ("in", "not in"),
}
_OPPOSITE: dict[type[ast.AST], tuple[str, str]] = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}
_EXTREMES = {"min": "max", "max": "min"}
_LOGS = ("log", "_log", "logger", "_logger")
_UNTESTED_NAMES = ("__repr__", "__str__")
"""Text for whoever debugs, which nothing depends on."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One planted bug.

    `function` is the qualified name of the function or class around it, "" on the level of the module. `nth`
    counts mutants that are alike in everything else, so that a mutant keeps its name when lines move.
    """

    module: str
    function: str
    operator: str
    before: str
    after: str
    nth: int
    start: int
    end: int
    line: int

    @property
    def name(self) -> str:
        """Return what identifies this mutant, whatever line it is on."""
        return "\0".join((self.module, self.function, self.operator, self.before, self.after, str(self.nth)))

    def plant(self, source: bytes) -> bytes:
        """Return the source with this bug in it."""
        return source[: self.start] + self.after.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """Return the difference it makes, without its header."""
        old, new = (text.decode().splitlines() for text in (source, self.plant(source)))
        return "\n".join(list(difflib.unified_diff(old, new, n=1, lineterm=""))[2:])


def mutants(module: str, source: bytes) -> list[Mutant]:
    """Return all mutants of a module, in the order of their lines."""
    tree = ast.parse(source)
    seen: dict[tuple[str, str, str, str], int] = {}
    made: list[Mutant] = []
    for change in sorted(_Planter(source).changes(tree), key=lambda each: (each.start, each.end, each.after)):
        before = source[change.start : change.end].decode()
        alike = change.function, change.operator, before, change.after
        nth = seen[alike] = seen.get(alike, -1) + 1
        line = source.count(b"\n", 0, change.start) + 1
        made.append(Mutant(module, *alike, nth, change.start, change.end, line))
    return made


def functions(source: bytes) -> dict[str, range]:
    """Return the lines of each function's body by its qualified name, inner functions included."""
    return dict(_bodies(ast.parse(source), ""))


def users(source: bytes, line: int) -> set[str]:
    """Return the functions that use what a line of the module's level assigns; none for other lines."""
    tree = ast.parse(source)
    at = [each for each in tree.body if each.lineno <= line <= (each.end_lineno or each.lineno)]
    assigned = {
        name.id
        for each in at
        if isinstance(each, ast.Assign | ast.AnnAssign)
        for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    naming = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in assigned}
    return {function for function, lines in functions(source).items() if naming & set(lines)}


def _bodies(node: ast.AST, within: str) -> Iterator[tuple[str, range]]:
    for child in ast.iter_child_nodes(node):
        name = within
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            name = f"{within}.{child.name}".lstrip(".")
        if isinstance(child, _FUNCTIONS):
            yield name, range(child.body[0].lineno, (child.end_lineno or child.lineno) + 1)
        yield from _bodies(child, name)


@dataclass(frozen=True, slots=True)
class _Change:
    function: str
    operator: str
    start: int
    end: int
    after: str


class _Planter:
    """Walks a module and proposes changes."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def changes(self, tree: ast.Module) -> Iterator[_Change]:
        yield from self._walk(tree, "")

    def _walk(self, node: ast.AST, function: str) -> Iterator[_Change]:
        for child in _mutable_children(node):
            name = function
            if isinstance(node, ast.Module) and _is_chosen_number(child):
                continue
            if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
                name = f"{function}.{child.name}".lstrip(".")
                if child.name in _UNTESTED_NAMES:
                    continue
            for operator, start, end, after in self._of(child, name):
                yield _Change(name, operator, start, end, after)
            yield from self._walk(child, name)

    def _of(self, node: ast.AST, function: str) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.expr):
            yield from self._of_expression(node)
        if isinstance(node, ast.If | ast.While | ast.IfExp) and not _is_for_types(node):
            yield from self._negation(node.test)
        if isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield from self._negation(test)
        if isinstance(node, ast.stmt):
            yield from self._of_statement(node, function)
        if isinstance(node, ast.ExceptHandler):
            yield from self._emptied("swallow", node.body)

    def _of_expression(self, node: ast.expr) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            operands, kind = (node.left, node.comparators[0]), type(node.ops[0])
            if kind in _SWAPPED:
                yield self._between("boundary", *operands, *_SWAPPED[kind])
            if kind in _NEGATED:
                yield self._between("negate", *operands, *_NEGATED[kind])
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield self._between("logic", left, right, old, new)
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPPOSITE:
            if not any(_is_text(side) for side in (node.left, node.right)):
                yield self._between("arithmetic", node.left, node.right, *_OPPOSITE[type(node.op)])
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield ("constant", *self._span(node), str(node.value + 1))
        elif isinstance(node, ast.Name) and node.id in _EXTREMES:
            yield ("extreme", *self._span(node), _EXTREMES[node.id])

    def _of_statement(self, node: ast.stmt, function: str) -> Iterator[tuple[str, int, int, str]]:
        if _is_effect(node, function):
            yield ("remove", *self._span(node), "pass")
        elif isinstance(node, ast.Return) and _is_something(node.value):
            # A caller that asks for the truth could not tell False from None.
            yield ("return", *self._span(node), f"return {_opposite_truth(node.value)}")
        elif isinstance(node, ast.Raise):
            yield ("swallow", *self._span(node), "pass")
        elif isinstance(node, ast.Break | ast.Continue) or (isinstance(node, ast.Return) and not node.value):
            yield ("remove", *self._span(node), "pass")
        if isinstance(node, ast.AugAssign) and type(node.op) in _OPPOSITE:
            old, new = (f"{sign}=" for sign in _OPPOSITE[type(node.op)])
            yield self._between("arithmetic", node.target, node.value, old, new)
        if isinstance(node, ast.Try) and node.finalbody:
            yield from self._emptied("finally", node.finalbody)

    def _negation(self, test: ast.expr) -> Iterator[tuple[str, int, int, str]]:
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _NEGATED:
            return  # the comparison itself is negated already
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield ("negate", self._span(test)[0], self._span(test.operand)[0], "")
            return
        start, end = self._span(test)
        yield ("negate", start, end, f"not ({self._source[start:end].decode()})")

    def _emptied(self, operator: str, body: list[ast.stmt]) -> Iterator[tuple[str, int, int, str]]:
        if not _is_empty(body) and not _only_logs(body):
            yield (operator, self._span(body[0])[0], self._span(body[-1])[1], "pass")

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _between(
        self, operator: str, left: ast.expr, right: ast.expr, old: str, new: str
    ) -> tuple[str, int, int, str]:
        start, end = self._span(left)[1], self._span(right)[0]
        at = self._source.index(old.encode(), start, end)
        return operator, at, at + len(old), new


def _mutable_children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the children of a node in which a bug makes sense: no annotations, decorators or texts."""
    if _is_for_types(node):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "keywords") and isinstance(
            node, (*_FUNCTIONS, ast.ClassDef, ast.AnnAssign, ast.arg)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            # The positions of what is inside an f-string are not those of the source before Python 3.12.
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr | ast.Assert):
                yield child


def _is_chosen_number(node: ast.AST) -> bool:
    """Say whether a statement names a number: its value is a decision, and tests use its name."""
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.BinOp):
        return not any(isinstance(each, ast.Name | ast.Call) for each in ast.walk(value))
    return isinstance(value, ast.Constant)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_effect(node: ast.stmt, function: str) -> bool:
    """Say whether a statement is there for its effect alone, so that the module still runs without it."""
    if isinstance(node, ast.Expr):
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        return isinstance(call, ast.Call) and not _is_log(call)
    if isinstance(node, ast.AugAssign | ast.Delete):
        return True
    if isinstance(node, ast.Assign) and not function.endswith("__init__"):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return False


def _is_log(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    return isinstance(function.value, ast.Name | ast.Attribute) and _last(function.value) in _LOGS


def _last(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _is_empty(body: list[ast.stmt]) -> bool:
    """Say whether a body does nothing, or only what another operator removes."""
    (only, *more) = body
    return not more and (
        isinstance(only, ast.Pass | ast.Raise)
        or (isinstance(only, ast.Return) and not _is_something(only.value))
    )


def _only_logs(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) and _is_log(each.value)
        for each in body
    )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _opposite_truth(value: ast.expr | None) -> str:
    is_truth = isinstance(value, ast.Constant) and isinstance(value.value, bool)
    return str(not value.value) if is_truth and isinstance(value, ast.Constant) else "None"


def _is_something(value: ast.expr | None) -> bool:
    return value is not None and not (isinstance(value, ast.Constant) and value.value is None)
