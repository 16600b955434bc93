import re
from pathlib import Path

import pytest

from choirbook import __version__
from tests.support.cli import choirbook
from tests.support.trees import plant

COMMANDS = [("list",), ("check",), ("read", "mcp://resources/sdlc/core"), ("serve",), ("stdio",)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_directory_that_is_not_there_stops_the_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    found = choirbook(*command, tmp_path / "none")
    assert (found.returncode, found.stdout) == (2, "")
    assert f"The directory {tmp_path / 'none'} does not exist" in found.stderr
    assert "Traceback" not in found.stderr


EMPTY = [(*command, "") for command in COMMANDS] + [
    ("usage", ""),
    ("serve", "--config", ""),
    ("serve", "--usage", ""),
    ("serve", "--admin-token-file", ""),
]


@pytest.mark.parametrize("command", EMPTY, ids=lambda command: " ".join(command[:2]))
def test_an_empty_path_is_refused(library: Path, command: tuple[str, ...]) -> None:
    """As of a variable that is not set: it would be the working directory."""
    found = choirbook(*command, cwd=library)
    assert (found.returncode, found.stdout) == (2, "")
    assert "the path is empty" in found.stderr


@pytest.mark.parametrize("variable", ["CHOIRBOOK_ROOT", "CHOIRBOOK_USAGE"])
def test_an_empty_path_in_the_environment_is_refused(library: Path, variable: str) -> None:
    found = choirbook("check", cwd=library, environment={variable: ""})
    assert found.returncode == 2
    assert found.stderr == f"choirbook: {variable} in the environment is '': a path must not be empty.\n"


@pytest.mark.parametrize("command", [("check",), ("serve",)], ids=lambda command: command[0])
def test_broken_rules_stop_the_start_with_file_and_line(library: Path, command: tuple[str, ...]) -> None:
    rules = 'name = "acme"\n[[collection]]\ntype = "Bad Type"\nuri = "mcp://x"\nfiles = "x"\n'
    plant(library, {"choirbook.toml": rules})
    found = choirbook(*command, library)
    assert found.returncode == 2
    assert re.search(r"choirbook\.toml, line 3: type 'Bad Type'", found.stderr)
    assert str(library) in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_directory_without_documents_is_not_served(tmp_path: Path) -> None:
    found = choirbook("serve", tmp_path, "--port", "0")
    assert found.returncode == 2
    assert "has no documents" in found.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CHOIRBOOK_PORT": "http"}, "CHOIRBOOK_PORT in the environment"),
        ({"CACHE_TTL": "-1"}, "cache_ttl_s"),
        ({"CHOIRBOOK_MAX_DOCUMENT_BYTES": "0"}, "max_document_bytes"),
        ({"CHOIRBOOK_CLIENT_TTL_S": "inf"}, "client_ttl_s"),
    ],
)
def test_a_bad_setting_stops_the_start(library: Path, environment: dict[str, str], message: str) -> None:
    found = choirbook("check", library, environment=environment)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_settings_file_with_an_unknown_key_stops_the_start(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("prot = 1\n")
    found = choirbook("serve", "--config", config)
    assert found.returncode == 2
    assert "unknown key 'prot'" in found.stderr


def test_beyond_loopback_is_refused_unless_it_is_meant(library: Path) -> None:
    found = choirbook("serve", library, "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - that it is refused
    assert found.returncode == 2
    assert "--public" in found.stderr


def test_the_version_is_told() -> None:
    assert choirbook("--version").stdout == f"choirbook {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_names_every_command(arguments: tuple[str, ...]) -> None:
    found = choirbook(*arguments)
    for command in ("serve", "stdio", "list", "read", "check", "cache"):
        assert command in found.stdout + found.stderr


def test_an_unknown_command_is_a_wrong_use() -> None:
    assert choirbook("brew").returncode == 2
