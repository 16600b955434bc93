"""Start of `choirbook serve`, and its messages if it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.servers import choirbook, rsgi_command, running, write_library
from tests.support.starting import refused


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that nothing is wrong with; tests that change theirs make one of their own."""
    return write_library(tmp_path_factory.mktemp("library"))


def test_greeting_says_what_is_served_where_and_how_to_connect(tmp_path: Path, library: Path) -> None:
    with running(rsgi_command(library), tmp_path / "run") as server:
        greeting = server.stdout

    assert "8 resources" in greeting
    assert str(library) in greeting
    assert f"http://127.0.0.1:{server.port}/mcp/resources" in greeting
    assert f"claude mcp add --transport http choirbook http://127.0.0.1:{server.port}/mcp" in greeting


def test_starter_library_is_served_without_an_argument(tmp_path: Path) -> None:
    with running(choirbook("serve", "--port", "0"), tmp_path / "run") as server, server.client() as client:
        for path in ("sdlc/core", "patterns/core", "templates/prd-template"):
            assert client.get(f"/mcp/resources/{path}").status_code == 200


def test_greeting_names_the_file_that_won_a_uri(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    (library / "other").mkdir()
    (library / "other" / "sdlc-core.md").write_text("# Another\n")

    with running(rsgi_command(library), tmp_path / "run") as server:
        greeting = server.stdout

    assert "mcp://resources/sdlc/core: other/sdlc-core.md is served, not sdlc-core.md" in greeting


def test_port_in_use_is_said_with_exit_1(tmp_path: Path, library: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused(tmp_path, library, "--port", str(port))

    assert code == 1
    assert f"127.0.0.1:{port} is in use" in line
    assert "--port" in line


def test_port_of_a_running_choirbook_is_in_use(tmp_path: Path, library: Path) -> None:
    with running(rsgi_command(library), tmp_path / "run") as server:
        code, line = refused(tmp_path, library, "--port", str(server.port))

    assert code == 1
    assert "is in use" in line


def test_address_of_another_machine_is_said_with_exit_1(tmp_path: Path, library: Path) -> None:
    code, line = refused(tmp_path, library, "--host", "192.0.2.1", "--public")

    assert code == 1
    assert "192.0.2.1" in line


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - it is refused
def test_host_beyond_loopback_needs_public(tmp_path: Path, library: Path, host: str) -> None:
    code, line = refused(tmp_path, library, "--host", host)

    assert code == 2
    assert host in line
    assert "--public" in line


def test_missing_directory_is_said_with_exit_2(tmp_path: Path) -> None:
    code, line = refused(tmp_path, tmp_path / "nothing")

    assert code == 2
    assert str(tmp_path / "nothing") in line


def test_empty_directory_is_said_with_exit_2(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()

    code, line = refused(tmp_path, tmp_path / "library")

    assert code == 2
    assert str(tmp_path / "library") in line
    assert "choirbook check" in line


def test_file_instead_of_a_directory_is_said_with_exit_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    code, line = refused(tmp_path, tmp_path / "file")

    assert code == 2
    assert "not a directory" in line


COLLECTION = (
    '[[collection]]\ntype = "note"\nuri = "mcp://resources/notes/{name}"\nfiles = "notes/{name}.txt"\n'
)


@pytest.mark.parametrize(
    ("rules", "place", "what"),
    [
        ('name = "x"\n[[collection\n', "line 2", "TOML"),
        ('name = "x"\n\n[[collection]]\ntype = "note"\n', "line 3", "'uri'"),
        (f'{COLLECTION}color = "blue"\n', "line 5", "'color'"),
        (COLLECTION.replace("notes/{name}.txt", "notes/{other}.txt"), "line 3", "{name}"),
    ],
)
def test_broken_rules_are_said_with_file_and_line_and_exit_2(
    tmp_path: Path, rules: str, place: str, what: str
) -> None:
    library = write_library(tmp_path / "library")
    (library / "choirbook.toml").write_text(rules)

    code, line = refused(tmp_path, library)

    assert code == 2
    assert str(library) in line
    assert "choirbook.toml" in line
    assert place in line
    assert what in line


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CHOIRBOOK_PORT": "x"}, "CHOIRBOOK_PORT"),
        ({"CACHE_TTL": "-1"}, "cache_ttl"),
    ],
)
def test_bad_setting_is_said_with_exit_2(
    tmp_path: Path, library: Path, variables: dict[str, str], named: str
) -> None:
    code, line = refused(tmp_path, library, **variables)

    assert code == 2
    assert named in line


def test_few_open_files_mean_few_streams_and_a_warning(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    command = ["prlimit", "--nofile=600:600", *rsgi_command(library)]
    with running(command, tmp_path / "run") as server, server.client() as client:
        assert client.get("/mcp/resources/sdlc/core").status_code == 200
        assert "600 files here, so at most 300 streams" in server.stderr
