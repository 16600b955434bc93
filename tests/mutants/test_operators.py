"""Which bugs are planted, on small modules; and that all of a real one are Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.operators import functions, mutants, users

ROOT = Path(__file__).resolve().parents[2]


def planted(source: str) -> list[tuple[str, str]]:
    """Return the operator and the changed module of each mutant."""
    data = source.encode()
    return [(each.operator, each.plant(data).decode()) for each in mutants("m.py", data)]


@pytest.mark.parametrize(
    ("source", "operator", "changed"),
    [
        ("a < b", "boundary", "a <= b"),
        ("a >= b", "boundary", "a > b"),
        ("a == b", "negate", "a != b"),
        ("a in b", "negate", "a not in b"),
        ("a is b", "negate", "a is not b"),
        ("a and b", "logic", "a or b"),
        ("n = f(5)", "constant", "n = f(6)"),
        ("n = a - b", "arithmetic", "n = a + b"),
        ("n = min(a, b)", "extreme", "n = max(a, b)"),
        ("n -= a", "remove", "pass"),
        ("n -= a", "arithmetic", "n += a"),
        ("a.close()", "remove", "pass"),
        ("del a[b]", "remove", "pass"),
        ("a.b = c", "remove", "pass"),
        ("def f():\n    return a", "return", "def f():\n    return None"),
        ("def f():\n    return False", "return", "def f():\n    return True"),
        ("def f():\n    return", "remove", "def f():\n    pass"),
        ("async def f():\n    await a.stop()", "remove", "async def f():\n    pass"),
        ("for a in b:\n    continue", "remove", "for a in b:\n    pass"),
        ("if a:\n    b()", "negate", "if not (a):\n    b()"),
        ("if not a:\n    b()", "negate", "if a:\n    b()"),
        ("x = [a for a in b if a]", "negate", "x = [a for a in b if not (a)]"),
        ("raise a", "swallow", "pass"),
        ("try:\n    a()\nexcept E:\n    b()\n    raise", "swallow", "try:\n    a()\nexcept E:\n    pass"),
        ("try:\n    a()\nfinally:\n    b()\n    c()", "finally", "try:\n    a()\nfinally:\n    pass"),
    ],
)
def test_a_bug_is_planted(source: str, operator: str, changed: str) -> None:
    assert (operator, changed) in planted(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "def f(a: Literal[5] = None) -> Literal[6]: ...",
        "@cache(5)\ndef f(): ...",
        "log.warning(a)",
        "self._log.info(a)",
        "if TYPE_CHECKING:\n    import a",
        "assert a < 5",
        "def __repr__(self):\n    return a",
        "x = a + 'b'",
        "x = f'{a + b:>5}'",
        "def f():\n    return None",
        "class C:\n    def __init__(self):\n        self.a = b",
        "try:\n    a = b\nexcept E:\n    raise",
        "def f():\n    try:\n        a = b\n    except E:\n        return None",
        "a = True",
        "MAX = 5",
        "MAX_BYTES: Final = 4 * 1024 + 1",
    ],
)
def test_nothing_is_planted_where_it_would_say_nothing(source: str) -> None:
    ignored = {("swallow", source.replace("raise", "pass"))}
    assert set(planted(source)) <= ignored


def test_positions_are_right_after_text_that_is_not_ascii() -> None:
    assert ("boundary", "x = 'äöü' if a <= b else 'ß'") in planted("x = 'äöü' if a < b else 'ß'")


def test_a_condition_that_is_a_comparison_is_negated_once() -> None:
    assert planted("if a == b:\n    c = d") == [("negate", "if a != b:\n    c = d")]


def test_a_mutant_keeps_its_name_when_lines_move_and_alike_ones_are_told_apart() -> None:
    source = "def f():\n    a.close()\n    b = 1\n    a.close()\n"
    names = [each.name for each in mutants("m.py", source.encode())]
    assert len(set(names)) == len(names) == 3
    assert [each.name for each in mutants("m.py", f"# A comment.\n\n{source}".encode())] == names


def test_a_mutant_names_the_function_around_it() -> None:
    source = b"class C:\n    def f(self):\n        def g():\n            return a\n        return g\n"
    assert [each.function for each in mutants("m.py", source)] == ["C.f.g", "C.f"]
    assert functions(source) == {"C.f": range(3, 6), "C.f.g": range(4, 5)}


def test_the_users_of_a_constant_are_known() -> None:
    source = b"MAX = 5\nOTHER: int = 6\n\ndef f():\n    return MAX\n\ndef g():\n    return OTHER + MAX\n"
    assert users(source, 1) == {"f", "g"}
    assert users(source, 2) == {"g"}


def test_a_difference_shows_what_was_planted() -> None:
    (mutant,) = mutants("m.py", b"if a:\n    b = c\n")
    assert mutant.diff(b"if a:\n    b = c\n").splitlines()[1:3] == ["-if a:", "+if not (a):"]


@pytest.mark.parametrize("module", ["src/choirbook/mcp/client_stream.py", "src/choirbook/cache/memory.py"])
def test_every_mutant_of_a_module_is_another_module(module: str) -> None:
    source = (ROOT / module).read_bytes()
    original = ast.dump(ast.parse(source))
    found = mutants(module, source)
    assert len(found) > 50
    for mutant in found:
        assert ast.dump(ast.parse(mutant.plant(source))) != original, mutant
