import pytest

from choirbook.sources.ignore_rules import ignores, is_hidden, parse_ignore


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (".git", True),
        (".git/config", True),
        ("a/.hidden.md", True),
        ("a/.hidden/b.md", True),
        ("..data/b.md", True),
        ("a.md", False),
        ("a/b.c/d.md", False),
    ],
)
def test_a_component_with_a_leading_dot_is_hidden(path: str, hidden: bool) -> None:  # noqa: FBT001
    assert is_hidden(path) is hidden


@pytest.mark.parametrize(
    ("path", "is_directory", "ignored"),
    [
        ("drafts", True, True),
        ("a/drafts", True, True),
        ("drafts", False, False),
        ("a.tmp", False, True),
        ("keep.tmp", False, False),
        ("top.md", False, True),
        ("a/top.md", False, False),
        ("a.md", False, False),
    ],
)
def test_patterns_have_the_syntax_of_gitignore(path: str, is_directory: bool, ignored: bool) -> None:  # noqa: FBT001
    patterns = parse_ignore(b"# comment\ndrafts/\n*.tmp\n!keep.tmp\n/top.md\n")
    assert ignores((patterns,), path, is_directory=is_directory) is ignored
