"""A `.choirbookignore` that cannot be used never counts as one that is not there."""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from choirbook.model import SourceError, SourceGone, SourceMisruled
from choirbook.sources.filesystem import FilesystemSource
from choirbook.sources.ignore_rules import MAX_IGNORE_BYTES, InvalidIgnoreFile, parse_ignore
from choirbook.sources.quiet_period import GONE_QUIET_S, QUIET_S
from choirbook.sources.wildmatch import MAX_PATTERN_BYTES, MAX_STARS
from tests.support.sources import directory
from tests.support.trees import again_and_again, plant, replace

TREE = {"a.md": "x", "drafts/secret.md": "x", "sub/b.md": "x", "sub/drafts/c.md": "x"}


def listed(source: FilesystemSource) -> set[str]:
    return {entry.path for entry in source.list()[0]}


def aged(root: Path, *paths: str) -> Path:
    """Wait until files have been quiet: their times cannot be set back."""
    newest_s = max((root / path).lstat().st_ctime for path in paths or (".choirbookignore",))
    while time.time() - newest_s < 2 * QUIET_S:
        time.sleep(0.005)
    return root


def lists_in_time(source: FilesystemSource, expected: set[str], for_s: float = 10.0) -> bool:
    deadline_s = time.monotonic() + for_s
    while time.monotonic() < deadline_s:
        if listed(source) == expected:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("name", [".choirbookignore", "sub/.choirbookignore"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("!", "empty"),
        ("\\", "backslash"),
        ("[z-a]", "range"),
        ("[a", "not closed"),
        ("[[:nothing:]]", "unknown class"),
        ("a\0b", "NUL"),
        ("x" * (MAX_PATTERN_BYTES + 1), "longer than"),
        ("*a" * (MAX_STARS + 1), "stars"),
    ],
)
def test_a_line_that_cannot_be_used_stops_a_start_and_is_named(
    tmp_path: Path, name: str, line: str, reason: str
) -> None:
    plant(tmp_path, {**TREE, name: f"# comment\n{line}\ndrafts/\n"})
    with pytest.raises(SourceMisruled, match=rf"^{name}, line 2: .*{reason}"):
        directory(tmp_path).list()


@pytest.mark.parametrize("name", [".choirbookignore", "sub/.choirbookignore"])
def test_a_running_server_keeps_what_counted_before_a_line_that_cannot_be_used(
    tmp_path: Path, name: str
) -> None:
    source = directory(plant(tmp_path, {**TREE, name: "drafts/\n"}))
    before = listed(source)
    replace(tmp_path / name, "[z-a]\n")
    assert listed(source) == before
    (fault,) = source.rule_faults
    assert fault.startswith(f"{name}, line 1: ")
    replace(tmp_path / name, "*.md\n")
    after = {"a.md", "drafts/secret.md"} if "/" in name else set()
    assert lists_in_time(source, after)
    assert source.rule_faults == ()


def test_a_new_directory_whose_file_cannot_be_used_is_not_served(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": "x"}))
    assert listed(source) == {"a.md"}
    plant(tmp_path, {"sub/.choirbookignore": "!", "sub/b.md": "x", "sub/deep/c.md": "x"})
    entries, problems = source.list()
    assert [entry.path for entry in entries] == ["a.md"]
    assert [problem.path for problem in problems] == ["sub"]
    for path in ("sub/b.md", "sub/deep/c.md"):
        with pytest.raises(SourceGone):
            source.stat(path)
    replace(tmp_path / "sub/.choirbookignore", "c.md\n")
    assert lists_in_time(source, {"a.md", "sub/b.md"})


def test_a_directory_stays_closed_until_its_file_is_good_or_gone_for_long(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": "x"}))
    assert listed(source) == {"a.md"}
    plant(tmp_path, {"sub/.choirbookignore": "!", "sub/b.md": "x"})
    for _ in range(3):
        assert listed(source) == {"a.md"}
        assert source.rule_faults[0].startswith("sub/.choirbookignore, line 1: ")
    (tmp_path / "sub/.choirbookignore").unlink()
    begun_s = time.monotonic()
    assert listed(source) == {"a.md"}
    assert lists_in_time(source, {"a.md", "sub/b.md"})
    assert time.monotonic() - begun_s >= GONE_QUIET_S
    assert source.rule_faults == ()


def test_a_first_look_waits_until_a_file_is_quiet_and_not_for_ever(tmp_path: Path) -> None:
    plant(tmp_path, TREE)

    def write(number: int) -> None:
        replace(tmp_path / ".choirbookignore", f"# {number}\n")

    write(0)
    with again_and_again(write), pytest.raises(SourceMisruled, match="is being written"):
        directory(tmp_path).list()
    assert "drafts/secret.md" in listed(directory(tmp_path))


def _too_long(path: Path) -> None:
    path.write_text("drafts/\n" + "# comment\n" * (MAX_IGNORE_BYTES // 10 + 1))


def _outside(path: Path) -> None:
    outside = path.parent.parent / "outside"
    outside.write_text("drafts/\n")
    path.unlink(missing_ok=True)
    path.symlink_to(outside)


def _dangling(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


def _loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


UNUSABLE = [_too_long, _outside, _dangling, _loop, _pipe]


@pytest.mark.parametrize("make", UNUSABLE)
@pytest.mark.parametrize("follow_links", [False, True])
def test_a_file_that_cannot_be_read_stops_a_start(
    tmp_path: Path,
    make: Callable[[Path], None],
    follow_links: bool,  # noqa: FBT001
) -> None:
    root = plant(tmp_path / "root", TREE)
    make(root / ".choirbookignore")
    with pytest.raises(SourceMisruled, match=r"^\.choirbookignore "):
        directory(root, follow_links=follow_links).list()


@pytest.mark.parametrize("make", UNUSABLE)
def test_a_running_server_keeps_what_counted_before_a_file_that_cannot_be_read(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    root = plant(tmp_path / "root", {**TREE, ".choirbookignore": "drafts/\n"})
    source = directory(root)
    before = listed(source)
    assert before == {"a.md", "sub/b.md"}
    make(root / ".choirbookignore")
    assert listed(source) == before
    assert source.rule_faults[0].startswith(".choirbookignore ")


def test_a_file_of_exactly_the_longest_length_counts(tmp_path: Path) -> None:
    text = "drafts/\n"
    plant(tmp_path, {**TREE, ".choirbookignore": text + "#" * (MAX_IGNORE_BYTES - len(text))})
    assert listed(directory(tmp_path)) == {"a.md", "sub/b.md"}


@pytest.mark.parametrize("follow_links", [False, True])
def test_a_link_beneath_the_root_counts(tmp_path: Path, follow_links: bool) -> None:  # noqa: FBT001
    plant(tmp_path, {**TREE, "..data/ignored": "drafts/\n"})
    (tmp_path / ".choirbookignore").symlink_to("..data/ignored")
    assert listed(directory(tmp_path, follow_links=follow_links)) == {"a.md", "sub/b.md"}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    plant(tmp_path, {**TREE, ".choirbookignore": "\ufeffdrafts/\n"})
    assert listed(directory(tmp_path)) == {"a.md", "sub/b.md"}


@pytest.mark.parametrize("name", [".choirbookignore", "sub/.choirbookignore"])
@pytest.mark.parametrize("is_emptied", [True, False], ids=["emptied", "gone"])
def test_a_file_that_is_gone_for_a_moment_counts_all_the_while(
    tmp_path: Path,
    name: str,
    is_emptied: bool,  # noqa: FBT001
) -> None:
    source = directory(plant(tmp_path, {**TREE, name: "drafts/\n"}))
    before = listed(source)
    begun_s = time.monotonic()
    if is_emptied:
        (tmp_path / name).write_text("")
    else:
        (tmp_path / name).unlink()
    while listed(source) == before:
        assert time.monotonic() - begun_s < 10.0
        time.sleep(0.01)
    assert time.monotonic() - begun_s >= GONE_QUIET_S
    assert len(listed(source)) > len(before)


def test_a_file_that_comes_back_counts_as_if_it_had_not_gone(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {**TREE, ".choirbookignore": "drafts/\n"}))
    before = listed(source)
    (tmp_path / ".choirbookignore").unlink()
    assert listed(source) == before
    assert source.due_s < time.monotonic() + GONE_QUIET_S
    plant(tmp_path, {".choirbookignore": "drafts/\n"})
    assert listed(source) == before
    assert source.due_s > time.monotonic() + 10 * GONE_QUIET_S


def test_a_file_that_is_being_written_counts_once_it_is_quiet(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {**TREE, ".choirbookignore": "drafts/\n"}))
    before = listed(source)

    written_s: list[float] = []

    def write(number: int) -> None:
        replace(tmp_path / ".choirbookignore", f"*\n!x{number}\n")
        written_s.append(time.monotonic())

    write(0)
    with again_and_again(write):
        until_s = time.monotonic() + 8 * QUIET_S
        while time.monotonic() < until_s:
            if listed(source) != before:
                # On a busy machine the writer itself may pause for as long as makes a file quiet.
                written_s.append(time.monotonic())
                assert max(later - earlier for earlier, later in pairwise(written_s)) >= QUIET_S
                break
    assert lists_in_time(source, set())


def test_a_document_is_refused_by_a_file_that_no_listing_has_seen(tmp_path: Path) -> None:
    source = directory(plant(tmp_path, {"a.md": "x"}))
    assert listed(source) == {"a.md"}
    plant(tmp_path, {"new/.choirbookignore": "b.md\n", "new/b.md": "x", "new/c.md": "x"})
    aged(tmp_path, "new/.choirbookignore")
    with pytest.raises(SourceGone):
        source.stat("new/b.md")
    assert source.stat("new/c.md").size == 1


@pytest.mark.parametrize("target", ["drafts/secret.md", "sub/drafts/c.md"])
def test_a_link_to_an_ignored_document_is_ignored(tmp_path: Path, target: str) -> None:
    plant(tmp_path, {**TREE, ".choirbookignore": "drafts/\n"})
    (tmp_path / "public.md").symlink_to(target)
    (tmp_path / "fine.md").symlink_to("a.md")
    source = directory(tmp_path, follow_links=True)
    entries, problems = source.list()
    assert {entry.path for entry in entries} == {"a.md", "sub/b.md", "fine.md"}
    assert problems == []
    with pytest.raises(SourceGone):
        source.stat("public.md")


@pytest.mark.parametrize(
    ("rule", "at"), [("/drafts/", ""), ("/drafts/secret.md", ""), ("secret.md", "drafts"), ("/deep/", "sub")]
)
def test_a_link_to_a_directory_shows_nothing_that_is_ignored_there(
    tmp_path: Path, rule: str, at: str
) -> None:
    """Links come before their targets here, in the order of names and in any other."""
    plant(tmp_path, {"a.md": "x", "drafts/secret.md": "x", "sub/deep/secret.md": "x"})
    plant(tmp_path / at, {".choirbookignore": rule})
    for name in ("aaa", "zzz"):
        (tmp_path / name).symlink_to("sub/deep" if at == "sub" else "drafts")
    source = directory(tmp_path, follow_links=True)
    assert not {path for path in listed(source) if path.startswith(("aaa", "zzz"))}
    for name in ("aaa", "zzz"):
        with pytest.raises(SourceGone):
            source.stat(f"{name}/secret.md")


def test_a_kubernetes_mount_is_served_though_only_some_names_are_wanted(tmp_path: Path) -> None:
    plant(tmp_path / "..first", {"a.md": "x", "b.txt": "x", ".choirbookignore": "*\n!*.md\n"})
    (tmp_path / "..data").symlink_to("..first")
    for name in ("a.md", "b.txt", ".choirbookignore"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert listed(directory(tmp_path, follow_links=True)) == {"a.md"}


def test_hidden_files_are_left_out_whatever_a_file_says(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x", ".git/config": "x", ".b.md": "x", ".choirbookignore": "!.git\n!.b.md\n"})
    source = directory(tmp_path)
    assert listed(source) == {"a.md"}
    for path in (".git/config", ".b.md", ".choirbookignore", "a.md\0x"):
        with pytest.raises(SourceGone):
            source.stat(path)


def test_a_directory_that_cannot_be_entered_is_no_error_of_rules(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "x", "sub/.choirbookignore/x": "x", "sub/b.md": "x"})
    source = directory(tmp_path)
    assert listed(source) == {"a.md", "sub/b.md"}
    assert source.rule_faults == ()


def test_reading_patterns_costs_a_bounded_time_for_each_byte() -> None:
    lines = {"many stars": b"*a" * 16 + b"b\n", "brackets": b"[a-z]*[!a]?\n", "segments": b"**/a/**/b/**\n"}
    for line in lines.values():
        data = line * (16 * 1024 // len(line))
        begun_s = time.process_time()
        parse_ignore(data)
        assert (time.process_time() - begun_s) / len(data) < 50e-6


@pytest.mark.parametrize(
    "line",
    [
        b"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        b"x/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        b"**/a/**/a/**/a/**/a/**/a/**/a/**/b",
        b"*[a-z]*?*[!x]a*[a-z]*?*[!x]a*b",
        b"?" * 200 + b"*" + b"?" * 200,
    ],
)
def test_matching_costs_a_bounded_time_for_each_byte(line: bytes) -> None:
    patterns = parse_ignore(line)
    for path in (b"a" * 4000, b"x/" + b"a" * 4000, b"a/" * 2000 + b"c"):
        begun_s = time.process_time()
        for _ in range(10):
            patterns.verdict(path, path.rpartition(b"/")[2], is_directory=False)
        assert (time.process_time() - begun_s) / 10 / len(path) < 10e-6


def test_a_message_names_the_line_and_quotes_nothing() -> None:
    with pytest.raises(InvalidIgnoreFile, match=r"^sub/\.choirbookignore, line 3: ") as raised:
        parse_ignore(b"a\r\nb\r\nacquisition-[z-a]\r\n", "sub")
    assert "acquisition" not in str(raised.value)


def test_a_root_that_cannot_be_listed_is_another_error(tmp_path: Path) -> None:
    root = plant(tmp_path / "root", TREE)
    source = directory(root)
    root.rename(tmp_path / "away")
    with pytest.raises(SourceError) as raised:
        source.list()
    assert not isinstance(raised.value, SourceMisruled)
