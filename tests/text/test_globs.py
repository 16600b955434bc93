"""Patterns match as a backtracking engine would have it, and in linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.text.globs import DIRECTORIES, MAX_TEXT, MAX_WILDCARDS, Glob, Token, Wildcard, named

STAR, ANY = Wildcard(), Wildcard(crosses=True)


def expression(token: Token) -> str:
    if isinstance(token, str):
        return re.escape(token)
    if not isinstance(token, Wildcard):
        return "(?:[^/]+/)*"
    text = ("." if token.crosses else "[^/]") + ("+" if token.min_length else "*")
    return f"(?P<{token.name}>{text})" if token.name else text


def engine(tokens: list[Token], text: str) -> dict[str, str] | None:
    found = re.fullmatch("".join(map(expression, tokens)), text, re.DOTALL)
    return None if found is None else found.groupdict()


def with_names(kinds: list[Token]) -> list[Token]:
    """Give each variable a name of its own."""
    return [
        kind._replace(name=f"v{place}") if isinstance(kind, Wildcard) and kind.min_length else kind
        for place, kind in enumerate(kinds)
    ]


KINDS: list[Token] = ["a", "b", "/", "ab", "a/", STAR, ANY, DIRECTORIES]
KINDS += [named("x", is_rest=False), named("x", is_rest=True)]
patterns = st.lists(st.sampled_from(KINDS), max_size=7).map(with_names)
texts = st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=4).map("/".join)


@given(patterns, texts)
def test_a_pattern_matches_what_the_engine_matches_with_the_same_values(
    tokens: list[Token], text: str
) -> None:
    assert Glob(tokens).match(text) == engine(tokens, text)


@pytest.mark.parametrize(
    ("tokens", "text", "found"),
    [
        ([named("a", is_rest=False), "-", named("b", is_rest=False)], "x-y-z", {"a": "x-y", "b": "z"}),
        ([DIRECTORIES, STAR, "x", STAR, ".md"], "a/b/axb.md", {}),
        ([DIRECTORIES, STAR, "x", STAR, ".md"], "a/x/ab.md", None),
        ([named("a", is_rest=True), "/", named("b", is_rest=True)], "1/2/3", {"a": "1/2", "b": "3"}),
        ([ANY, "/", ANY, ".md"], "a/b.md", {}),
        ([STAR, STAR, STAR], "a/b", None),
        ([], "", {}),
        ([], "a", None),
    ],
)
def test_examples(tokens: list[Token], text: str, found: dict[str, str] | None) -> None:
    assert Glob(tokens).match(text) == found


def test_wildcards_are_bounded() -> None:
    Glob([STAR, "a"] * MAX_WILDCARDS)
    with pytest.raises(ValueError, match=f"{MAX_WILDCARDS + 1} wildcards; at most {MAX_WILDCARDS}"):
        Glob([STAR, "a"] * (MAX_WILDCARDS + 1))


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="names a variable twice"):
        Glob([named("a", is_rest=False), "/", named("a", is_rest=True)])


def test_a_text_of_any_length_may_be_asked_for() -> None:
    assert Glob([STAR, "a", STAR]).match("b" * MAX_TEXT + "a") is None
    assert Glob([STAR, "a", STAR]).match("b" * (MAX_TEXT - 1) + "a") == {}
