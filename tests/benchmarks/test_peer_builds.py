"""Builds of the Go and Rust peers. A program without imports stands for them: it compiles in a second."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.peers import builds, crates, versions
from benchmarks.peers.builds import BuildFailed, Source, build_source
from benchmarks.peers.servers import PEERS

TINY = "package main\n\nfunc main() { println(%r) }\n"
LOCK = """version = 4

[[package]]
name = "a"
version = "1.0.0"
source = "registry+example"
checksum = "00"
dependencies = [
 "b",
]

[[package]]
name = "peer"
version = "1.0.0"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Source:
    directory = tmp_path / "sources"
    directory.mkdir()
    (directory / "go.mod").write_text("module tiny\n\ngo 1.20\n")
    write(directory, "one")
    return Source("tiny-peer", directory, "go", "golang-go", builds.go, {})


def write(directory: Path, word: str) -> None:
    (directory / "main.go").write_text(TINY.replace("%r", f'"{word}"'))


def said(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stderr.strip()


def test_a_program_is_built_once_and_again_when_its_sources_change(tiny: Source, tmp_path: Path) -> None:
    program = build_source(tiny, tmp_path / "built")
    assert said(program) == "one"
    before = program.stat()
    assert build_source(tiny, tmp_path / "built") == program
    after = program.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write(tiny.directory, "two")
    assert said(build_source(tiny, tmp_path / "built")) == "two"
    left = {path.name for path in (tmp_path / "built").iterdir()}
    assert left == {"tiny-peer", "tiny-peer.stamp", "tiny-peer.lock"}


def test_a_failed_build_says_why_and_leaves_no_older_program(tiny: Source, tmp_path: Path) -> None:
    program = build_source(tiny, tmp_path / "built")
    (tiny.directory / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildFailed, match="undefined: nonsense"):
        build_source(tiny, tmp_path / "built")
    assert not program.exists()


def test_a_toolchain_that_is_not_installed_is_named(tiny: Source, tmp_path: Path) -> None:
    absent = tiny._replace(tool="no-such-toolchain")
    with pytest.raises(
        BuildFailed, match="no-such-toolchain is not installed; run: apt-get install golang-go"
    ):
        build_source(absent, tmp_path / "built")


def test_pins_are_a_lock_file_without_the_names_of_registries() -> None:
    pins = crates.without_sources(LOCK)
    assert "registry" not in pins
    assert crates.with_sources(pins, crates.source_of(LOCK)) == LOCK


@pytest.mark.parametrize("lock", ["version = 4\n", LOCK + LOCK.replace("example", "other")])
def test_crates_of_none_or_several_registries_are_refused(lock: str) -> None:
    with pytest.raises(ValueError, match="sources of crates, not one"):
        crates.source_of(lock)


def test_the_rust_peer_pins_all_its_crates_by_checksum() -> None:
    packages = (builds.HERE / "rmcp" / crates.PINS).read_text().split("[[package]]")[1:]
    assert len(packages) > 10
    assert [each for each in packages if 'name = "peer"' not in each and "checksum = " not in each] == []


def test_every_peer_has_a_version_where_it_is_installed() -> None:
    for peer in PEERS.values():
        if not peer.lacks():
            assert peer.version()
    assert versions.crate("rmcp")().startswith("3.")
    with pytest.raises(ValueError, match="nothing that matches"):
        versions.crate("no-such-crate")()


def test_go_peers_run_on_one_core() -> None:
    assert {name: dict(PEERS[name].variables) for name in ("go-sdk", "mcp-go")} == {
        "go-sdk": {"GOMAXPROCS": "1"},
        "mcp-go": {"GOMAXPROCS": "1"},
    }
