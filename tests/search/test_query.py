import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choirbook.errors import InvalidParams
from choirbook.model import ResourceInfo, Version
from choirbook.search.index import Index
from choirbook.search.passages import SearchPart
from choirbook.search.query import COMMON, MAX_CHARACTERS, MAX_WORDS, Query, of_kind, parse_query


@pytest.mark.parametrize(
    ("text", "words", "has_prefix"),
    [
        ("pytest fixtures", ("pytest", "fixtures"), True),
        ("How do I write fixtures in pytest?", ("write", "fixtures", "pytest"), True),
        (
            'error AND "handling" NOT (x* OR ^y) title:z',
            ("error", "handling", "not", "x", "y", "title", "z"),
            False,
        ),
        ("snake_case, dotted.name", ("snake", "case", "dotted", "name"), True),
        ("test the test", ("test",), True),
        ("what is it for", ("what", "is", "it", "for"), False),
        ("fixtures for", ("fixtures",), False),
        ("go", ("go",), False),
        ("Ünïcode 見出し", ("ünïcode", "見出し"), True),
        ("e\u0301t\u00e9", ("été",), True),
    ],
)
def test_a_query_is_taken_as_words(text: str, words: tuple[str, ...], has_prefix: bool) -> None:  # noqa: FBT001
    assert parse_query(text) == Query(words, has_prefix)


@pytest.mark.parametrize("text", ["", " \n", '"" ()*', "\0", "\ud800", "🎉", "-- ; DROP"[:2]])
def test_a_query_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams, match="has no word"):
        parse_query(text)


@pytest.mark.parametrize("characters", [MAX_CHARACTERS + 1, 100 * 1024])
def test_a_query_that_is_too_long_is_refused(characters: int) -> None:
    with pytest.raises(InvalidParams, match=f"at most {MAX_CHARACTERS}"):
        parse_query("x" * characters)
    assert parse_query("x" * MAX_CHARACTERS)


def test_the_number_of_words_is_bounded() -> None:
    assert len(parse_query(" ".join(f"w{n}" for n in range(200))).words) == MAX_WORDS


def test_expressions_ask_for_all_words_then_for_any() -> None:
    query = parse_query("pytest fixtures")
    assert query.all_words_in_headings() == '{title heading} : ("pytest" AND "fixtures")'
    assert query.all_words() == '"pytest" AND "fixtures"'
    assert query.all_words_with_prefix() == '"pytest" AND "fixtures"*'
    assert query.any_word() == '"pytest" OR "fixtures"'
    assert parse_query("go").all_words_with_prefix() is None
    assert parse_query("fixtures").any_word() is None
    assert of_kind('"a"', "file") == '("a") AND kind : "kind66696c65"'


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    made = Index()
    info = ResourceInfo("u:a", "u:a", "a", "a", "A", "", "file", "text/plain", 1, 0, Version("v"))
    made.put(info, [SearchPart(None, (), "some text and NOT more", 22)])
    yield made
    made.close()


@given(st.text(max_size=80), st.sampled_from([None, "file", "no-such_type"]))
@example('"', None)
@example("a\0b", None)
@example("NEAR(a b, 2)", "file")
@example("\ufdd0 \U0001e900 \u0300", None)
def test_no_query_is_an_error_of_the_engine(index: Index, text: str, type_: str | None) -> None:
    try:
        query = parse_query(text)
    except InvalidParams:
        return
    try:
        assert len(index.find(query, type_, 5)) <= 1
    except sqlite3.Error as error:  # pragma: no cover
        pytest.fail(f"{text!r}: {error}")


@given(st.lists(st.sampled_from(sorted(COMMON)), min_size=1, max_size=5))
def test_a_query_of_common_words_alone_is_searched_for(words: list[str]) -> None:
    assert set(parse_query(" ".join(words)).words) == set(words)
