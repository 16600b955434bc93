import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choirbook.model import ResourceInfo, Version
from choirbook.search.index import Index, MatchedSection
from choirbook.search.passages import MAX_PIECE, SearchPart, parts_of
from choirbook.search.query import parse_query


def info(uri: str, title: str = "Title", type_: str = "file") -> ResourceInfo:
    return ResourceInfo(uri, uri, uri, uri, title, "", type_, "text/markdown", 1, 0, Version("v"))


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index()
    yield made
    made.close()


def put(index: Index, uri: str, text: str, **members: str) -> None:
    described = info(uri, **members)
    index.put(described, parts_of(described, text.encode()))


def find(index: Index, query: str, type_: str | None = None, limit: int = 10) -> list[MatchedSection]:
    return index.find(parse_query(query), type_, limit)


def names(found: list[MatchedSection]) -> list[tuple[str, str | None]]:
    return [(each.uri, each.slug) for each in found]


def test_a_hit_names_the_section(index: Index) -> None:
    put(index, "u:a", "# Testing\n\nIntro.\n\n## Fixtures\n\nA fixture is torn down after `yield`.\n")
    (found,) = find(index, "yield")
    assert (found.uri, found.slug, found.heading_path) == ("u:a", "fixtures", ("Testing", "Fixtures"))
    assert found.snippet == "## Fixtures A fixture is torn down after `yield`."
    assert found.size_bytes == 51
    assert found.score > 2


def test_a_section_with_all_words_in_its_heading_goes_before_any_other(index: Index) -> None:
    put(index, "u:text", "# Other\n\n" + "writing logs " * 50)
    put(index, "u:heading", "# Writing\n\nText.\n\n## Logs\n\n" + "Text. " * 500)
    found = find(index, "writing logs")
    assert names(found)[:2] == [("u:heading", "logs"), ("u:text", "other")]
    assert [int(each.score) for each in found] == [3, 2, 0]


def test_a_title_counts_more_than_a_heading_and_a_heading_more_than_the_text(index: Index) -> None:
    put(index, "u:body", "# One\n\nAll about logging here.\n")
    put(index, "u:heading", "# Logging\n\nAll about it here.\n")
    put(index, "u:title", "Some text.\n", title="Logging")
    put(index, "u:none", "# Other\n\nNothing.\n")
    assert [uri for uri, _ in names(find(index, "logging"))] == ["u:title", "u:heading", "u:body"]


def test_words_are_found_in_other_forms_without_accents_and_in_any_case(index: Index) -> None:
    put(index, "u:a", "Naïve TESTS were tested.\n")
    assert [names(find(index, query)) for query in ("testing", "naive", "NAÏVE", "tést")] == [
        [("u:a", None)]
    ] * 4


def test_all_words_go_before_a_prefix_and_that_before_any_word(index: Index) -> None:
    put(index, "u:any", "alpha alpha alpha\n")
    put(index, "u:prefix", "alpha betamax\n")
    put(index, "u:all", "alpha and much text before it comes to beta\n")
    found = find(index, "alpha beta")
    assert [uri for uri, _ in names(found)] == ["u:all", "u:prefix", "u:any"]
    assert [int(each.score) for each in found] == [2, 1, 0]


def test_with_enough_of_the_better_ones_none_has_only_some_words(index: Index) -> None:
    for number in range(3):
        put(index, f"u:{number}", "alpha beta\n")
    put(index, "u:any", "alpha\n")
    assert len(find(index, "alpha beta")) == 3


def test_a_type_restricts_what_is_found(index: Index) -> None:
    put(index, "u:a", "alpha\n", type_="pattern")
    put(index, "u:b", "alpha\n", type_="pattern-two")
    assert names(find(index, "alpha", "pattern")) == [("u:a", None)]
    assert find(index, "alpha", "file") == []
    assert find(index, "pattern") == []


def test_a_section_of_several_pieces_is_one_hit(index: Index) -> None:
    put(index, "u:a", "# A\n\n" + "alpha " * MAX_PIECE)
    put(index, "u:b", "alpha\n")
    assert sorted(names(find(index, "alpha"))) == [("u:a", "a"), ("u:b", None)]


@pytest.mark.parametrize("word", ["b", "beta"])
def test_word_that_fills_a_document_is_quoted_in_time(index: Index, word: str) -> None:
    put(index, "u:a", "# Title\n\n" + f"{word} " * MAX_PIECE)
    start_s = time.thread_time()
    (found,) = find(index, word)
    assert time.thread_time() - start_s < 1.0
    assert found.snippet.strip("…") == " ".join([word] * 24)


@pytest.mark.parametrize("matches", [199, 200, 201])
def test_quote_names_the_word_however_often_it_is_there(index: Index, matches: int) -> None:
    put(index, "u:a", "Begin. " * 300 + "alpha beta " * matches)
    (found,) = find(index, "alpha")
    assert "alpha beta alpha" in found.snippet
    assert found.snippet.startswith("…")


def test_a_document_takes_the_place_of_its_older_self_and_goes(index: Index) -> None:
    put(index, "u:a", "alpha\n")
    put(index, "u:a", "beta\n")
    assert (find(index, "alpha"), len(index)) == ([], 1)
    assert names(find(index, "beta")) == [("u:a", None)]
    index.remove("u:a")
    index.remove("u:a")
    assert (find(index, "beta"), len(index)) == ([], 0)


def test_what_is_gathered_is_found_before_it_is_written(index: Index) -> None:
    index.begin()
    index.begin()
    put(index, "u:a", "alpha\n")
    assert names(find(index, "alpha")) == [("u:a", None)]
    index.commit()
    index.commit()
    assert names(find(index, "alpha")) == [("u:a", None)]


def test_there_are_no_more_hits_than_asked_for(index: Index) -> None:
    for number in range(9):
        put(index, f"u:{number}", "alpha\n")
    assert len(find(index, "alpha", limit=4)) == 4


def test_a_document_without_text_is_found_by_its_title_and_name(index: Index) -> None:
    index.put(info("u:logo.png", title="The logo"), [SearchPart(None, (), "", 9)])
    assert names(find(index, "logo png")) == [("u:logo.png", None)]


WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta"])
EDITS = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.lists(WORDS, max_size=3)), max_size=12)


@settings(max_examples=40)
@given(EDITS)
def test_after_any_edits_exactly_what_is_there_is_found(edits: list[tuple[str, list[str] | None]]) -> None:
    index = Index()
    held: dict[str, set[str]] = {}
    for name, words in edits:
        if words is None:
            index.remove(name)
            held.pop(name, None)
        else:
            put(index, name, " ".join(words))
            held[name] = set(words)
    for word in ("alpha", "beta", "gamma", "delta"):
        assert {uri for uri, _ in names(find(index, word))} == {name for name in held if word in held[name]}
    assert len(index) == len(held)
    index.close()
