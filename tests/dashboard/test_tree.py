from hypothesis import given
from hypothesis import strategies as st

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Document
from choirbook.catalog.rules import default_rules
from choirbook.dashboard.tree import Folder, children
from choirbook.model import SourceEntry, Version

ROOT = "mcp://resources/"


def catalog_of(*paths: str) -> Catalog:
    catalog = Catalog(default_rules("library"))
    entries = [SourceEntry(path, Version("1"), 10, 0) for path in paths]
    catalog.apply((entry.path, Document(entry, "text/markdown", "", "")) for entry in entries)
    return catalog


def names(catalog: Catalog, prefix: str) -> list[str]:
    return [
        f"{each.name}/ {each.documents}" if isinstance(each, Folder) else each.uri[len(prefix) :]
        for each in children(catalog, prefix).entries
    ]


def walk(catalog: Catalog, prefix: str, limit: int) -> list[str]:
    """Return every document that the tree leads to."""
    found, after = [], None
    while True:
        part = children(catalog, prefix, after, limit)
        assert len(part.entries) <= limit
        for each in part.entries:
            if isinstance(each, Folder):
                below = walk(catalog, each.prefix, limit)
                assert len(below) == each.documents
                found += below
            else:
                found.append(each.uri)
        after = part.after
        if after is None:
            return found


def test_a_library_has_its_root_and_folders() -> None:
    catalog = catalog_of("sdlc-core.md", "python/patterns-core.md", "go/patterns-core.md", "notes/a.txt")
    assert [each.prefix for each in children(catalog, "").entries if isinstance(each, Folder)] == [ROOT]
    assert names(catalog, ROOT) == ["files/ 1", "patterns/ 2", "sdlc/ 1"]
    assert names(catalog, f"{ROOT}patterns/") == ["go/ 1", "python/ 1"]
    assert names(catalog, f"{ROOT}patterns/go/") == ["core"]


def test_where_nothing_is_nothing_is_listed() -> None:
    assert children(catalog_of(), "").entries == []
    assert children(catalog_of("a.md"), f"{ROOT}nothing/").entries == []
    assert children(catalog_of("a.md"), "\U0010ffff").entries == []


@given(
    paths=st.lists(st.lists(st.sampled_from(["a", "b", "a-", "a.b"]), min_size=1, max_size=4), max_size=30),
    limit=st.integers(1, 5),
)
def test_the_tree_leads_to_every_document_once(paths: list[list[str]], limit: int) -> None:
    catalog = catalog_of(*{"/".join(parts) + ".md" for parts in paths})
    assert sorted(walk(catalog, "", limit)) == list(catalog.uris())
