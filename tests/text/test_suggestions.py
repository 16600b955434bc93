from time import process_time

import pytest

from choirbook.text.suggestions import MAX_COMPARED, closest, similar_name, similar_uris, without_suggestions

FILES = "mcp://resources/files/"


def among(*names: str) -> list[str]:
    return sorted(FILES + name for name in names)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("DUP.md", "dup.md"),
        ("dup", "dup.md"),
        ("dup.txt", "dup.md"),
        ("dpu.md", "dup.md"),
        ("guide/instal.md", "guide/install.md"),
        ("giude/install.md", "guide/install.md"),
        ("install.md", "guide/install.md"),
        ("v1/guide/install.md", "guide/install.md"),
        ("za%C5%BC%C3%B3%C5%82%C4%87.md", "Za%C5%BC%C3%B3%C5%82%C4%86.md"),
    ],
)
def test_what_was_meant_is_suggested_first(asked: str, meant: str) -> None:
    names = among("dup.md", "h7.md", "guide/install.md", "guide/usage.md", "Za%C5%BC%C3%B3%C5%82%C4%86.md")
    assert similar_uris(FILES + asked, names)[0] == FILES + meant


@pytest.mark.parametrize(
    "asked",
    [
        "nope.md",
        "a.md",
        "h9.md",
        "x",
        "guide",
        "guide/nothing-like-it.md",
        "other/h7/dup/what.md",
        "md",
        ".md",
    ],
)
def test_nothing_is_suggested_where_nothing_is_close(asked: str) -> None:
    assert similar_uris(FILES + asked, among("dup.md", "h7.md", "guide/install.md", "guide/usage.md")) == ()


def test_the_closest_comes_first_and_only_so_many_come() -> None:
    names = among("pattern.md", "patterns.md", "pattens.md", "battens.md", "zzz.md")
    assert similar_uris(FILES + "patterns.mdx", names, 2) == (FILES + "patterns.md", FILES + "pattens.md")


LARGE = among(
    *(f"{number % 10}/document-{number:06}.md" for number in range(20_000)),
    *(f"flat/{chr(97 + number % 26)}{number:05}-handbook.md" for number in range(20_000)),
    "handbook/deployment.md",
    "README.md",
)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("handbook/deploymnt.md", "handbook/deployment.md"),
        ("hanbdook/deployment.md", "handbook/deployment.md"),
        ("Handbook/Deployment.md", "handbook/deployment.md"),
        ("readme.md", "README.md"),
        ("3/document-00001.md", "3/document-000013.md"),
        ("flat/w00100-hanbdook.md", "flat/w00100-handbook.md"),
        ("flat/00100-handbook.md", "flat/w00100-handbook.md"),
        ("flat/?00100-handbook.md", "flat/w00100-handbook.md"),
        ("flat/ww00100-handbook.md", "flat/w00100-handbook.md"),
        ("flat/W00100-HANDBOOK.md", "flat/w00100-handbook.md"),
    ],
)
def test_in_a_large_library_what_was_meant_is_suggested(asked: str, meant: str) -> None:
    assert FILES + meant in similar_uris(FILES + asked, LARGE)


def test_in_a_large_library_nothing_is_suggested_where_nothing_is_close() -> None:
    assert similar_uris(FILES + "flat/nothing-of-that-kind.txt", LARGE) == ()
    assert similar_uris("other://a", LARGE) == ()


@pytest.mark.parametrize(
    "asked", ["flat/q", "x" * 1900, "a/" * 900, "flat/" + "-handbook" * 200, "%C5%BC" * 300]
)
def test_a_suggestion_takes_a_bounded_time(asked: str) -> None:
    """The same, however many names there are."""

    def cost_s(names: list[str]) -> float:
        least = float("inf")
        for _ in range(5):
            start_s = process_time()
            similar_uris(FILES + asked, names)
            least = min(least, process_time() - start_s)
        return least

    similar_uris(FILES, LARGE)
    huge = sorted({f"{uri}/{number}" for uri in LARGE[:20_000] for number in range(10)})
    assert cost_s(huge) < 0.05
    assert cost_s(LARGE) < 0.05
    assert cost_s(LARGE[:MAX_COMPARED]) < 0.05


def test_none_is_made_where_none_is_wanted() -> None:
    names = among("dup.md")
    with without_suggestions():
        assert similar_uris(FILES + "dup", names) == ()
    assert similar_uris(FILES + "dup", names) == (FILES + "dup.md",)


def test_words_are_close_by_their_length() -> None:
    assert closest("pyhton", ["cobol", "python", "pythons"], 9) == [1, 2]
    assert closest("go", ["to", "no"], 9) == []
    assert closest("", ["a"], 9) == []


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("redis_ulr", "redis_url"),
        ("REDIS_URL", "redis_url"),
        ("redis", "redis_url"),
        ("metrics_port", "metrics"),
        ("met", None),
        ("", None),
    ],
)
def test_a_name_of_a_few_is_suggested(asked: str, meant: str | None) -> None:
    assert similar_name(asked, ("redis_url", "redis_secret", "metrics", "port")) == meant
