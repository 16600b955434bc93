"""No regular expression over text of others can be made to take long (promise 19)."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import choirbook
from tests.support.patterns import risks

SAFE = {
    "documents.metadata._FENCE": "of each kind only the last fence can be open: a text is read three "
    "times at most",
    "documents.metadata._LINK": "a parenthesis ends every run, so each place is tried from two links",
    "documents.placeholders._IN_MARKUP": "CDATA that is open reaches to the end, which matches",
    "environment._SERVICE_LINK": "a name of an environment variable, whose length the system bounds",
    "catalog.rules._LONG_KEY": "begins where a part of a key begins, and looks at MAX_KEY_PARTS of them",
}
"""Patterns that look slow, and why they are not; all are measured in tests/test_linear_time.py."""

DYNAMIC = {
    "text.globs._compiled": "only patterns that `_is_cheap` lets pass; tests/test_linear_time.py "
    "measures them",
    "sources.wildmatch._compile_piece": "sets of bytes one behind the other, without any repetition",
    "uri.without": "a name of a variable, escaped, with fixed text around it",
    "catalog.rules._line_of": "a key of the rules, escaped, once at the start of a line",
}
"""Patterns that are made while the program runs, and why they are safe."""

_FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
_ANCHORED = {"match", "fullmatch"}


class Use(NamedTuple):
    """A place where a pattern is compiled."""

    place: str
    pattern: Any
    """None where it is made while the program runs."""
    flags: int
    is_anchored: bool


def modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(choirbook.__path__, "choirbook."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def uses(module: ModuleType) -> Iterator[Use]:
    assert module.__file__ is not None
    text = Path(module.__file__).read_text(encoding="utf-8")
    # Each worker of a parallel run does this as it collects tests, and most modules compile nothing.
    if "re." not in text:
        return
    tree = ast.parse(text)
    names = {id(node.value): node.targets[0] for node in ast.walk(tree) if isinstance(node, ast.Assign)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=function)) if (
                function in _FUNCTIONS
            ):
                pass
            case _:
                continue
        target = names.get(id(call))
        name = target.id if isinstance(target, ast.Name) else _function_of(call, functions)
        methods = {function} if function != "compile" else _methods(tree, name)
        pattern = _value(call.args[0], module)
        flags = _value(call.args[1], module) if function == "compile" and len(call.args) > 1 else 0
        short = module.__name__.removeprefix("choirbook.")
        yield Use(f"{short}.{name}", pattern, int(flags or 0), bool(methods) and methods <= _ANCHORED)


def _function_of(call: ast.Call, functions: list[ast.FunctionDef]) -> str:
    around = [each for each in functions if any(node is call for node in ast.walk(each))]
    return around[-1].name if around else "?"


def _methods(tree: ast.Module, name: str) -> set[str]:
    """Return what is done with a pattern, by the names of its methods."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def _value(expression: ast.expr, module: ModuleType) -> Any:
    try:
        value = eval(compile(ast.Expression(expression), "<pattern>", "eval"), vars(module))  # noqa: S307 - our own
    except (NameError, TypeError):
        return None
    return value if isinstance(value, str | bytes | int) else None


ALL = [use for module in modules() for use in uses(module)]


def test_patterns_are_found() -> None:
    assert len(ALL) > 40
    assert {
        "documents.metadata._ATX_HEADING",
        "documents.sections.plain_headings._DOUBTFUL",
        "catalog.rules._LONG_KEY",
    } <= {use.place for use in ALL}


@pytest.mark.parametrize("use", ALL, ids=[use.place for use in ALL])
def test_a_pattern_takes_no_longer_for_a_text_of_others(use: Use) -> None:
    if use.pattern is None:
        assert use.place in DYNAMIC, (
            "A pattern made at run time: say in DYNAMIC why no text makes it take long."
        )
        return
    found = risks(use.pattern, use.flags, is_anchored=use.is_anchored)
    assert bool(found) is (use.place in SAFE), f"{use.place}: {', '.join(found) or 'needs no entry in SAFE'}"


@pytest.mark.parametrize(
    "pattern",
    [
        r"^#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$",
        r"\n[ \-]*(?:=+|-+)[ \t]*(?=\n|\Z)",
        r"([\w-]+)\s*=",
        r"\[([^\]]*)\]\(",
        r"\]\([^)]*\)",
        r"\A(a+)+\Z",
        r"\A(a|a)*\Z",
        r"\A(ab|a|b)*\Z",
        r"\A.*a.*b",
        r"\A(a*b?)*c",
        r"\A\d+\d+x",
        r"\A(?:a+b?)+\Z",
        r"\A(?P<a>[^/]+)-(?P<b>[^/]+)\Z",
    ],
)
def test_a_pattern_that_can_be_made_to_take_long_is_found(pattern: str) -> None:
    assert risks(pattern, re.MULTILINE)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\A(?:[^/]+/)*\Z",
        r"^#{1,6}[ \t]+([^ \t\r\n][^\n]*)",
        r"(?<![\w-])([\w-]+)\s*=",
        r"\[([^\[\]]*)\]\(([^()]*)\)",
        r"\A\d+-\d+\Z",
        r'"(?:[^"\\]|\\.)*',
        r"[a-z]+",
    ],
)
def test_a_harmless_pattern_is_not_found(pattern: str) -> None:
    assert risks(pattern, re.MULTILINE) == []
