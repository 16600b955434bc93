import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.catalog.catalog import STEP_ROWS, Catalog, Collision
from choirbook.catalog.changeset import Document
from choirbook.catalog.rules import Rules, default_rules, parse_rules
from choirbook.model import Change, SourceEntry, Version
from choirbook.uri import canonical_uri
from tests.support.strategies import paths

RULES = default_rules("library")
CORE = "mcp://resources/sdlc/core"
PYTHON = "mcp://resources/patterns/python/core"
ALIAS = "mcp://resources/patterns/core"


def document(path: str, version: str = "1", title: str = "") -> Document:
    return Document(SourceEntry(path, Version(version), 10, 0), "text/markdown", title, "")


def catalog_of(*names: str, rules: Rules = RULES) -> Catalog:
    catalog = Catalog(rules)
    catalog.apply((name, document(name)) for name in names)
    return catalog


def uris_of(catalog: Catalog, type_: str | None = None) -> list[str]:
    return [info.uri for info in catalog.page(None, 10_000, type_).infos]


def test_a_resource_is_found_by_its_uri_and_by_its_alias() -> None:
    catalog = catalog_of("python/patterns-core.md")
    resource, alias = catalog.find(PYTHON), catalog.find(ALIAS)
    assert resource is not None
    assert alias is not None
    assert (resource.uri, resource.canonical_uri) == (PYTHON, PYTHON)
    assert (alias.uri, alias.canonical_uri, alias.path) == (ALIAS, PYTHON, resource.path)
    assert catalog.find("mcp://resources/patterns/go/core") is None


def test_an_alias_is_not_listed_and_not_counted() -> None:
    catalog = catalog_of("python/patterns-core.md")
    assert uris_of(catalog) == [PYTHON]
    assert len(catalog) == 1


def test_a_document_without_a_title_is_titled_by_its_name() -> None:
    catalog = catalog_of("a b.md")
    info = catalog.find("mcp://resources/files/a%20b.md")
    assert info is not None
    assert (info.name, info.title) == ("files/a b.md", "files/a b.md")


def test_the_listing_is_in_the_order_of_uris_and_filtered_by_type() -> None:
    catalog = catalog_of("z.txt", "sdlc-core.md", "a.txt", "go/patterns-b.md", "go/patterns-a.md")
    assert uris_of(catalog) == sorted(uris_of(catalog))
    assert uris_of(catalog, "file") == ["mcp://resources/files/a.txt", "mcp://resources/files/z.txt"]
    assert uris_of(catalog, "nothing") == []
    assert (catalog.count(), catalog.count("pattern"), catalog.count("nothing")) == (5, 2, 0)


@given(st.sets(st.integers(0, 50)), st.integers(1, 20))
def test_pages_walk_all_resources_once(numbers: set[int], limit: int) -> None:
    catalog = catalog_of(*(f"{number:02}.txt" for number in numbers))
    walked: list[str] = []
    after: str | None = None
    while True:
        page = catalog.page(after, limit)
        assert len(page.infos) <= limit
        walked += [info.uri for info in page.infos]
        after = page.last_uri
        if after is None:
            break
        assert len(page.infos) == limit
    assert walked == [f"mcp://resources/files/{number:02}.txt" for number in sorted(numbers)]


@given(st.sets(st.text("ab/é", min_size=1, max_size=4)), st.text("ab/%", max_size=3), st.integers(1, 5))
def test_a_prefix_leaves_what_begins_with_it(names: set[str], beginning: str, limit: int) -> None:
    catalog = catalog_of(*(f"{name.strip('/').replace('//', '/') or 'x'}.txt" for name in names))
    prefix = f"mcp://resources/files/{beginning}"
    fitting = [uri for uri in catalog.uris() if uri.startswith(prefix)]
    walked: list[str] = []
    after: str | None = None
    while True:
        page = catalog.page(after, limit, None, prefix)
        walked += [info.uri for info in page.infos]
        after = page.last_uri
        if after is None:
            break
    assert walked == fitting
    assert catalog.count(None, prefix) == len(fitting)


def test_a_page_starts_after_a_uri_that_is_gone() -> None:
    catalog = catalog_of("a.txt", "c.txt")
    page = catalog.page("mcp://resources/files/b.txt", 10)
    assert [info.path for info in page.infos] == ["c.txt"]


def test_of_two_files_that_claim_one_uri_the_first_path_is_served() -> None:
    catalog = catalog_of("b/sdlc-core.md", "a/sdlc-core.md", "c/sdlc-core.md")
    found = catalog.find(CORE)
    assert found is not None
    assert found.path == "a/sdlc-core.md"
    assert catalog.collisions() == [Collision(CORE, "a/sdlc-core.md", ("b/sdlc-core.md", "c/sdlc-core.md"))]
    assert len(catalog) == 1


def test_the_next_file_inherits_a_uri_when_the_first_goes() -> None:
    catalog = catalog_of("a/sdlc-core.md", "b/sdlc-core.md", "c/sdlc-core.md")
    change = catalog.apply([("a/sdlc-core.md", None)])
    assert change == Change(2, (), (CORE,), ())
    found = catalog.find(CORE)
    assert found is not None
    assert found.path == "b/sdlc-core.md"
    catalog.apply([("b/sdlc-core.md", None)])
    assert catalog.collisions() == []


def test_a_resource_has_its_uri_before_an_alias() -> None:
    rules = parse_rules(
        '[[collection]]\ntype = "pattern"\nuri = "mcp://resources/patterns/{language}/{name}"\n'
        'files = "{language}/{name}.md"\ndefaults = { language = "python" }\n'
        '[[collection]]\ntype = "page"\nuri = "mcp://resources/patterns/{name}"\nfiles = "{name}.md"\n',
        "x",
    )
    for names in (["python/core.md", "core.md"], ["core.md", "python/core.md"]):
        catalog = catalog_of(*names, rules=rules)
        found = catalog.find(ALIAS)
        assert found is not None
        assert found.path == "core.md"
        catalog.apply([("core.md", None)])
        found = catalog.find(ALIAS)
        assert found is not None
        assert found.path == "python/core.md"


def test_a_change_names_what_was_added_updated_and_removed() -> None:
    catalog = catalog_of("a.txt", "b.txt")
    heard: list[Change] = []
    catalog.listen(heard.append)
    change = catalog.apply([("a.txt", document("a.txt", "2")), ("b.txt", None), ("c.txt", document("c.txt"))])
    prefix = "mcp://resources/files"
    assert change == Change(2, (f"{prefix}/c.txt",), (f"{prefix}/a.txt",), (f"{prefix}/b.txt",))
    assert heard == [change]
    assert catalog.generation == 2


def test_what_changes_nothing_is_no_change() -> None:
    catalog = catalog_of("a.txt")
    assert catalog.apply([("a.txt", document("a.txt"))]) is None
    assert catalog.apply([("never.txt", None)]) is None
    assert catalog.apply([]) is None
    assert catalog.generation == 1


def test_a_file_that_comes_and_goes_in_one_step_is_no_change() -> None:
    catalog = catalog_of()
    assert catalog.apply([("a.txt", document("a.txt")), ("a.txt", None)]) is None


def test_the_rules_themselves_are_not_served() -> None:
    assert uris_of(catalog_of("choirbook.toml", "a.txt")) == ["mcp://resources/files/a.txt"]


def test_a_name_that_cannot_be_part_of_a_uri_is_a_problem_until_the_file_goes() -> None:
    catalog = catalog_of("a;b.txt", "a.txt")
    assert [problem.path for problem in catalog.problems()] == ["a;b.txt"]
    assert len(catalog) == 1
    catalog.apply([("a;b.txt", None)])
    assert catalog.problems() == []


def test_a_name_that_is_not_utf_8_is_a_problem_and_all_others_are_served() -> None:
    catalog = catalog_of("caf\udce9.txt", "a.txt")
    assert [problem.path for problem in catalog.problems()] == ["caf\udce9.txt"]
    assert uris_of(catalog) == ["mcp://resources/files/a.txt"]


def test_new_rules_give_every_file_its_uri_anew() -> None:
    catalog = catalog_of("a.txt", "b.md", "c;d.txt")
    rules = parse_rules(
        '[[collection]]\ntype = "note"\nuri = "mcp://notes/{name}"\nfiles = "{name}.md"\n', "x"
    )
    change = catalog.replace_rules(rules)
    assert change is not None
    assert set(change.added) == {"mcp://notes/b"}
    assert set(change.removed) == {"mcp://resources/files/a.txt", "mcp://resources/files/b.md"}
    assert uris_of(catalog, "note") == ["mcp://notes/b"]
    assert catalog.problems() == []
    assert catalog.replace_rules(rules) is None


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("mcp://resources/patterns/python/cor", PYTHON),
        ("mcp://resources/pattern/python/core", PYTHON),
        ("mcp://resources/sdlc/coer", CORE),
    ],
)
def test_the_nearest_uri_is_suggested(asked: str, nearest: str) -> None:
    assert catalog_of("python/patterns-core.md", "sdlc-core.md").nearest(asked)[0] == nearest


def test_nothing_is_suggested_for_what_is_like_nothing() -> None:
    assert catalog_of("sdlc-core.md").nearest("test://zzzz") == ()


def test_a_file_is_known_by_its_path_until_it_goes() -> None:
    catalog = catalog_of("a.txt")
    assert catalog.document("a.txt") == document("a.txt")
    assert catalog.documents() == {"a.txt": document("a.txt")}
    catalog.apply([("a.txt", None)])
    assert catalog.document("a.txt") is None


def test_a_file_is_never_its_own_rival() -> None:
    """With two defaults, both aliases of one file can be the same URI."""
    rules = parse_rules(
        '[[collection]]\ntype = "x"\nuri = "mcp://x/{a}/{b}"\nfiles = "{a}/{b}.md"\n'
        'defaults = { a = "same", b = "same" }\n',
        "x",
    )
    catalog = catalog_of("same/same.md", rules=rules)
    assert catalog.collisions() == []
    catalog.apply([("same/same.md", None)])
    assert len(catalog) == 0
    assert catalog.find("mcp://x/same") is None


TWISTED = parse_rules(
    """
[[collection]]
type = "pattern"
uri = "mcp://r/p/{language}/{name}"
files = "**/{language}/p-{name}.md"
defaults = { language = "go" }
[[collection]]
type = "page"
uri = "mcp://r/p/{name}"
files = "**/{name}.md"
[[collection]]
type = "odd"
uri = "mcp://r/p/go/{name}"
files = "**/{name}.odd"
""",
    "x",
)
names_of_files = st.sampled_from(
    [
        f"{directory}{name}"
        for directory in ("", "go/", "py/", "a/go/", "b/go/")
        for name in ("p-core.md", "core.md", "core.odd", "p-go.md", "a;b.md", "choirbook.toml", "other.txt")
    ]
)
steps = st.lists(
    st.lists(st.tuples(names_of_files, st.sampled_from(["", "1", "2"])), min_size=1, max_size=6), max_size=12
)


@given(steps)
def test_the_way_to_a_set_of_files_does_not_matter(batches: list[list[tuple[str, str]]]) -> None:
    """After any comings and goings the catalog is that of the files there are."""
    walked = Catalog(TWISTED)
    present: dict[str, Document] = {}
    for batch in batches:
        for path, version in batch:
            present.pop(path, None)
            if version:
                present[path] = document(path, version)
        walked.apply((path, document(path, version) if version else None) for path, version in batch)
    afresh = Catalog(TWISTED)
    afresh.apply(sorted(present.items()))
    _assert_equal(walked, afresh)


def test_a_large_change_is_made_in_steps_of_which_each_is_told() -> None:
    count = 3 * STEP_ROWS
    catalog, heard = Catalog(default_rules("library")), list[Change]()
    catalog.listen(heard.append)
    one_go = catalog.commit_in_steps(catalog.prepare({"a.md": document("a.md", "1")}))
    assert list(one_go) == []
    assert len(heard) == 1
    many = {f"many/{number}.txt": document(f"many/{number}.txt", "1") for number in range(count)}
    steps_made = list(catalog.commit_in_steps(catalog.prepare(many)))
    assert len(steps_made) > 2 * count / STEP_ROWS
    assert sum(len(change.added) for change in heard[1:]) == count
    assert max(len(change.added) for change in heard) == STEP_ROWS
    assert [change.generation for change in heard] == list(range(1, len(heard) + 1))
    assert len(catalog) == count + 1


@given(steps)
def test_a_change_tells_exactly_what_readers_can_see(batches: list[list[tuple[str, str]]]) -> None:
    catalog = Catalog(TWISTED)
    for batch in batches:
        before = {info.uri: info for info in catalog.infos()}
        generation = catalog.generation
        change = catalog.apply(
            (path, document(path, version) if version else None) for path, version in batch
        )
        after = {info.uri: info for info in catalog.infos()}
        if change is None:
            assert (after, catalog.generation) == (before, generation)
            continue
        assert change.generation == catalog.generation == generation + 1
        assert set(change.added) == after.keys() - before.keys()
        assert set(change.removed) == before.keys() - after.keys()
        both = before.keys() & after.keys()
        assert set(change.updated) == {uri for uri in both if before[uri] != after[uri]}
        assert len(change.added + change.updated + change.removed) > 0


@given(st.sets(names_of_files), st.booleans())
def test_new_rules_make_the_catalog_that_they_would_have_made(names: set[str], back: bool) -> None:  # noqa: FBT001
    catalog = catalog_of(*names, rules=TWISTED)
    catalog.replace_rules(RULES)
    if back:
        catalog.replace_rules(TWISTED)
    _assert_equal(catalog, catalog_of(*sorted(names), rules=TWISTED if back else RULES))


def _assert_equal(one: Catalog, other: Catalog) -> None:
    for type_ in (None, *one.rules.types):
        assert one.page(None, 10_000, type_) == other.page(None, 10_000, type_)
    assert one.collisions() == other.collisions()
    assert one.problems() == other.problems()
    assert one.documents() == other.documents()
    aliases = [f"mcp://r/p/{name}" for name in ("core", "go", "p-core")] + [ALIAS, CORE]
    assert [one.find(uri) for uri in aliases] == [other.find(uri) for uri in aliases]
    for collision in one.collisions():
        assert collision.served not in collision.hidden


@given(st.lists(paths, max_size=5))
def test_every_key_is_a_canonical_uri(names: list[str]) -> None:
    """So whatever the reading of URIs refuses is never a key."""
    catalog = catalog_of(*names)
    for uri in uris_of(catalog):
        assert canonical_uri(uri) == uri
