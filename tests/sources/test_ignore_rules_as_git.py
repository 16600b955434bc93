"""`.choirbookignore` excludes the same as `git ls-files -o --exclude-standard` with `.gitignore`."""

import os
import random
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from choirbook.sources.ignore_rules import IGNORE_FILE, InvalidIgnoreFile, parse_ignore
from tests.support.sources import directory

PATHS = (
    "a",
    "b",
    "ab",
    "abc.md",
    "a.md",
    "b.md",
    "c.txt",
    "1.md",
    "x y.md",
    "trail ",
    "back\\slash.md",
    "st*r.md",
    "#hash.md",
    "!bang.md",
    "[a].md",
    "é.md",
    "A.md",
    "a-b_c.md",
    "docs/a.md",
    "docs/keep.md",
    "docs/b/a.md",
    "docs/b/c/d.md",
    "docs/b/keep.md",
    "foo/bar",
    "foo/x/bar",
    "foo/x/y/bar",
    "foobar",
    "foox/y/bar",
    "sub/a.md",
    "sub/b.md",
    "sub/sub/a.md",
    "sub/deep/keep/c.txt",
    "deep/er/and/deeper/a.md",
    "deep/er/foo/x.md",
)
"""No directory of these has a name that one of the files has elsewhere, but for `a`, `b` and `bar`."""

TABLE = (
    "*\n!*/\n!*.md",
    "docs/**\n!docs/keep.md",
    "[[:alpha:]].md",
    "\ufeffa.md",
    "docs/\n!docs/keep.md",
    "docs/*\n!docs/keep.md",
    "/*\n!/docs\n/docs/*\n!/docs/keep.md",
    "trail\\ ",
    "trail ",
    "trail\\  ",
    "a.md   ",
    "a.md\t",
    "\\#hash.md",
    "#hash.md",
    "\\!bang.md",
    "!bang.md",
    "back\\\\slash.md",
    "back\\slash.md",
    "st\\*r.md",
    "[[]a].md",
    "\\[a\\].md",
    "[]a].md",
    "[!a].md",
    "[^a].md",
    "[a-]*.md",
    "[--z].md",
    "[a-c].md",
    "[[:digit:][:upper:]].md",
    "[[:space:]]",
    "x[[:space:]]y.md",
    "[a[:digit:]-z].md",
    "[[:alpha:]-z].md",
    "[[:a].md",
    "?.md",
    "??.md",
    "foo/**/bar",
    "foo**/bar",
    "foo/**bar",
    "foo**bar",
    "**/bar",
    "**bar",
    "**/b/**",
    "b/**",
    "**",
    "**/",
    "*/",
    "/**",
    "**/**",
    "**/*",
    "foo/*",
    "foo/*/bar",
    "foo/**/**/bar",
    "foo/***/bar",
    "***/bar",
    "foo/**\\/bar",
    "foo\\/bar",
    "foo[/]bar",
    "foo/[x/]/bar",
    "/a",
    "/a/",
    "a/",
    "//a",
    "a//",
    "./a.md",
    "sub/../a.md",
    "*\n!a.md",
    "*\n!docs/\n!docs/b",
    "*.md\n!*.md",
    "*.md\r\n!a.md\r\n",
    "a.md\n\n# comment\n   \nb.md",
    "a*b*c*.md",
    "*a*.md*",
    "*-*_*",
    "sub/deep/**/c.txt",
    "deep/*/*/deeper",
    "deep/**/a.md\n!deep/er/and/**",
    "é.md",
    "?é.md",
    "[é].md",
    "docs/b\n!docs/b/c",
    "docs/b/*\n!docs/b/c\n",
    "A.MD",
)

NESTED: tuple[Mapping[str, str], ...] = (
    {"": "*.md", "sub": "!a.md"},
    {"": "sub/", "sub": "!a.md"},
    {"sub": "/a.md"},
    {"sub": "sub/a.md\n/b.md"},
    {"sub": "*", "sub/deep": "!keep", "sub/sub": "!*"},
    {"docs": "**/a.md", "docs/b": "!a.md\nc/"},
    {"": "/sub/b.md\n!sub/a.md", "sub": "*.md"},
    {"foo": "x/**/bar", "foo/x": "!y"},
    {"deep/er": "*\n!*/\n!x.md"},
    {"": "!*", "sub": "*"},
)


def served(tmp_path: Path, files: Mapping[str, str]) -> set[str]:
    _write(tmp_path, files, IGNORE_FILE)
    entries, problems = directory(tmp_path).list()
    assert problems == []
    return {entry.path for entry in entries}


def by_git(tmp_path: Path, files: Mapping[str, str]) -> set[str]:
    _write(tmp_path, files, ".gitignore")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    listed = subprocess.run(
        ["git", "ls-files", "-o", "-z", "--exclude-standard"],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
    ).stdout
    found = {os.fsdecode(path) for path in listed.split(b"\0") if path}
    return {path for path in found if not path.rpartition("/")[2].startswith(".")}


def _write(tmp_path: Path, files: Mapping[str, str], name: str) -> None:
    for old in (*tmp_path.rglob(IGNORE_FILE), *tmp_path.rglob(".gitignore")):
        old.unlink()
    for below, text in files.items():
        (tmp_path / below / name).write_text(text, newline="")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("as-git")
    subprocess.run(["git", "init", "-q", root], check=True)
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return root


@pytest.mark.parametrize("text", TABLE)
def test_a_file_means_what_it_means_to_git(tree: Path, text: str) -> None:
    assert served(tree, {"": text}) == by_git(tree, {"": text})


@pytest.mark.parametrize("files", NESTED)
def test_files_of_directories_mean_what_they_mean_to_git(tree: Path, files: Mapping[str, str]) -> None:
    assert served(tree, files) == by_git(tree, files)


PIECES = ("a", "b", "ab", "foo", "bar", "x", "docs", "sub", "deep", "er", "keep", "md", "txt", "a.md", ".md")
WILD = (
    "*",
    "**",
    "?",
    "/",
    "/",
    "**/",
    "/**",
    "[a-c]",
    "[!a]",
    "[[:alpha:]]",
    "[/x]",
    "\\",
    "\\*",
    " ",
    "***",
)


def random_line(random_: random.Random) -> str:
    parts = (random_.choice(WILD if random_.random() < 0.5 else PIECES) for _ in range(random_.randint(1, 5)))
    return random_.choice(("", "", "", "!", "/")) + "".join(parts) + random_.choice(("", "", "/", " "))


def valid(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if _is_valid(line)]


def _is_valid(line: str) -> bool:
    try:
        parse_ignore(line.encode())
    except InvalidIgnoreFile:
        return False
    return True


@pytest.mark.parametrize("seed", range(12))
def test_random_files_mean_what_they_mean_to_git(tree: Path, seed: int) -> None:
    random_ = random.Random(seed)  # noqa: S311 - a test that repeats
    differing = []
    for _ in range(30):
        texts = {
            below: "\n".join(valid(random_line(random_) for _ in range(random_.randint(1, 5))))
            for below in random_.sample(("", "", "docs", "sub", "foo", "docs/b"), random_.randint(1, 3))
        }
        if served(tree, texts) != by_git(tree, texts):
            differing.append(texts)
    assert differing == []


@pytest.mark.parametrize(
    "line", ["\\", "a\\", "[a", "[[:nothing:]].md", "[z-a].md", "!", "/", "[", "a[", "[!"]
)
def test_a_line_that_is_refused_does_nothing_in_git(tree: Path, line: str) -> None:
    assert not _is_valid(line)
    assert by_git(tree, {"": line}) == by_git(tree, {"": ""})
