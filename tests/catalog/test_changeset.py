from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from choirbook.catalog.changeset import (
    Changeset,
    ChangesetStep,
    Document,
    Tables,
    changeset_of,
    changeset_of_all,
)
from choirbook.catalog.rules import default_rules, parse_rules
from choirbook.model import SourceEntry, Version

RULES = default_rules("library")
OTHER_RULES = parse_rules(
    '[[collection]]\ntype = "note"\nuri = "mcp://notes/{+path}"\nfiles = "{+path}"\n', "x"
)
PREFIX = "mcp://resources/files"


def carry_out(made: Changeset, tables: Tables, at_once: int = 1000) -> list[ChangesetStep]:
    return list(made.carry_out(tables, at_once))


def document(path: str, version: str = "1") -> Document:
    return Document(SourceEntry(path, Version(version), 10, 0), "text/markdown", "", "")


def tables_of(*paths: str) -> Tables:
    tables = Tables({}, {}, {}, {}, {None: []})
    carry_out(changeset_of(tables, RULES, {path: document(path) for path in paths}), tables)
    return tables


paths = st.sampled_from(["a.md", "b.md", "b;c.md", "sdlc-core.md", "x/sdlc-core.md", "python/patterns-x.md"])
files = st.dictionaries(paths, st.sampled_from([None, "1", "2"]))


@given(st.sets(paths), files, st.booleans())
def test_a_draft_changes_nothing_until_it_is_carried_out(
    known: set[str],
    changed: dict[str, str | None],
    afresh: bool,  # noqa: FBT001 - Hypothesis passes it by name
) -> None:
    """The event loop serves from the tables while a thread makes the draft."""
    tables = tables_of(*known)
    before = deepcopy(tables)
    wanted = {path: None if version is None else document(path, version) for path, version in changed.items()}
    made = changeset_of_all(tables, OTHER_RULES) if afresh else changeset_of(tables, RULES, wanted)
    assert tables == before
    carry_out(made, tables)
    assert tables.ordered[None] == sorted(uri for uri, i in tables.by_uri.items() if i.canonical_uri == uri)


def test_a_list_that_a_page_is_taken_from_meanwhile_stays_as_it_was() -> None:
    tables = tables_of("b.md", "d.md")
    held = tables.ordered[None]
    made = changeset_of(tables, RULES, {"a.md": document("a.md"), "b.md": None, "c.md": document("c.md")})
    carry_out(made, tables)
    assert held == [f"{PREFIX}/b.md", f"{PREFIX}/d.md"]
    assert tables.ordered[None] == [f"{PREFIX}/a.md", f"{PREFIX}/c.md", f"{PREFIX}/d.md"]
    assert tables.ordered["file"] == tables.ordered[None]


def test_an_edit_leaves_the_lists_alone() -> None:
    tables = tables_of("a.md", "b.md")
    made = changeset_of(tables, RULES, {"a.md": document("a.md", "2")})
    assert made.ordered == {}
    assert made.updated == (f"{PREFIX}/a.md",)


def test_a_file_that_changes_its_type_changes_its_list() -> None:
    rules = parse_rules(
        '[[collection]]\ntype = "draft"\nuri = "mcp://x/{name}"\nfiles = "drafts/{name}.md"\n'
        '[[collection]]\ntype = "final"\nuri = "mcp://x/{name}"\nfiles = "final/{name}.md"\n',
        "x",
    )
    tables = Tables({}, {}, {}, {}, {None: []})
    carry_out(changeset_of(tables, rules, {"final/a.md": document("final/a.md")}), tables)
    made = changeset_of(tables, rules, {"final/a.md": None, "drafts/a.md": document("drafts/a.md")})
    carry_out(made, tables)
    assert (made.added, made.updated, made.removed) == ((), ("mcp://x/a",), ())
    assert tables.ordered == {None: ["mcp://x/a"], "final": [], "draft": ["mcp://x/a"]}


@given(st.sets(paths), files, st.booleans())
def test_between_the_steps_of_a_draft_whatever_is_listed_is_found(
    known: set[str],
    changed: dict[str, str | None],
    afresh: bool,  # noqa: FBT001 - Hypothesis passes it by name
) -> None:
    tables, whole = tables_of(*known), tables_of(*known)
    wanted = {path: None if version is None else document(path, version) for path, version in changed.items()}
    made = changeset_of_all(tables, OTHER_RULES) if afresh else changeset_of(tables, RULES, wanted)
    told: list[str] = []
    stays = tables.by_uri.keys() - made.by_uri.gone
    for step in made.carry_out(tables, 1):
        assert len(step.added + step.updated + step.removed) <= 1
        told += [*step.added, *step.updated, *step.removed]
        assert all(uri in tables.by_uri for uris in tables.ordered.values() for uri in uris)
        assert stays <= tables.by_uri.keys()
        assert all(uri in tables.by_uri for uri in (*step.added, *step.updated))
        assert not any(uri in tables.by_uri for uri in step.removed)
    carry_out(made, whole)
    assert tables == whole
    assert sorted(told) == sorted((*made.added, *made.updated, *made.removed))
