from hypothesis import given
from hypothesis import strategies as st

from choirbook.catalog.template_values import CompletionCandidates, VariableValues
from choirbook.uri import UriTemplate

PATTERN = UriTemplate("mcp://resources/patterns/{language}/{name}")
URIS = [
    "mcp://resources/patterns/python/core",
    "mcp://resources/patterns/python/testing",
    "mcp://resources/patterns/go/core",
    "mcp://resources/patterns/go/na%C3%AFve",
    "mcp://resources/sdlc/core",
]

names = st.text("abAB-é", min_size=1, max_size=4)


def test_a_variable_has_the_values_of_the_uris_that_match() -> None:
    found = CompletionCandidates(PATTERN, URIS)

    assert found.values("language", {}).starting_with("", 10).values == ("go", "python")
    assert found.values("name", {}).starting_with("", 10).values == ("core", "naïve", "testing")


def test_other_variables_narrow_the_values() -> None:
    found = CompletionCandidates(PATTERN, URIS)

    assert found.values("name", {"language": "python"}).starting_with("", 10).values == ("core", "testing")
    assert found.values("language", {"name": "testing"}).starting_with("", 10).values == ("python",)
    assert found.values("name", {"language": "rust"}).starting_with("", 10).total == 0


@given(st.lists(st.tuples(names, names, names), max_size=20), st.sampled_from("abc"), st.data())
def test_narrowing_is_what_looking_at_every_row_gives(
    rows: list[tuple[str, str, str]], variable: str, data: st.DataObject
) -> None:
    template = UriTemplate("mcp://resources/{a}/{b}/{c}")
    columns = dict(zip("abc", range(3), strict=True))
    others = {
        name: data.draw(names) for name in data.draw(st.sets(st.sampled_from("abc"))) if name != variable
    }
    candidates = CompletionCandidates(
        template, [template.expand(dict(zip("abc", row, strict=True))) for row in rows]
    )

    found = candidates.values(variable, others).starting_with("", 100)

    fitting = {
        row[columns[variable]]
        for row in rows
        if all(row[columns[name]] == value for name, value in others.items())
    }
    assert set(found.values) == fitting
    assert found.total == len(fitting)


@given(st.lists(names), st.text("abAB-é", max_size=2), st.integers(1, 5))
def test_a_beginning_finds_every_value_that_has_it_whatever_the_case(
    values: list[str], typed: str, limit: int
) -> None:
    found = VariableValues(values).starting_with(typed, limit)

    fitting = sorted(
        {each for each in values if each.casefold().startswith(typed.casefold())},
        key=lambda each: (each.casefold(), each),
    )
    assert list(found.values) == fitting[:limit]
    assert found.total == len(fitting)


def test_what_begins_nothing_is_looked_for_inside() -> None:
    values = VariableValues(["unit-testing", "load-testing", "core"])

    assert values.like("Testing", 10).values == ("load-testing", "unit-testing")
    assert values.like("testing", 1) == values.like("testing", 1)
    assert values.like("testing", 1).values == ("load-testing",)
    assert values.like("testing", 1).total is None


def test_what_is_nowhere_inside_is_taken_for_a_spelling_error() -> None:
    values = VariableValues(["python", "go", "rust"])

    assert values.like("pyhton", 10).values == ("python",)
    assert values.like("cobol", 10).total == 0
