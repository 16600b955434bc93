"""A working directory that somebody else wrote: nothing in it is loaded unless the command line names it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import DEADLINE_S, choirbook

SECRET = "sesame-open"  # noqa: S105 - of the tests
READ = {"jsonrpc": "2.0", "id": 1, "method": "resources/list"}
MODULES = ("msgspec", "typer", "dotenv", "rich", "uvloop", "granian", "sitecustomize", "locust", "numpy")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Where the hostile directory would like to have things sent."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(0.2)
        yield made


@pytest.fixture
def hostile(tmp_path: Path, listener: socket.socket) -> Path:
    """A cloned repository with everything in it that could be loaded by a careless program."""
    directory = tmp_path / "repository"
    (directory / "forged").mkdir(parents=True)
    (directory / "forged" / "forged.md").write_text("# Forged\n")
    port = listener.getsockname()[1]
    lines = [
        f"REDIS_URL=redis://u:${{ANTHROPIC_API_KEY}}@127.0.0.1:{port}/0",
        f"CHOIRBOOK_ROOT={directory / 'forged'}",
        f"CHOIRBOOK_USAGE={directory / 'written'}",
        "CHOIRBOOK_SHARED_READS=always",
        f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{port}",
    ]
    (directory / ".env").write_text("\n".join(lines) + "\n")
    settings = f'root = "{directory / "forged"}"\nredis_url = "redis://127.0.0.1:{port}/0"\n'
    for name in (
        "choirbook.toml",
        "choirbook-settings.toml",
        "settings.toml",
        ".choirbook.toml",
        "locust.conf",
    ):
        (directory / name).write_text(settings)
    for module in (*MODULES, "choirbook"):
        (directory / f"{module}.py").write_text("import sys\nsys.exit('the module of the directory ran')\n")
    return directory


def assert_untouched(directory: Path, listener: socket.socket) -> None:
    assert not (directory / "written").exists()
    with pytest.raises(TimeoutError):
        listener.accept()


@pytest.mark.parametrize("how", ["command", "module"])
def test_stdio_is_not_affected_by_the_directory_it_is_started_in(
    hostile: Path, listener: socket.socket, how: str
) -> None:
    program = [str(Path(sys.executable).with_name("choirbook"))]
    if how == "module":
        # The module of this name is found first, by Python itself, before anything of Choirbook runs.
        (hostile / "choirbook.py").unlink()
        program = [sys.executable, "-m", "choirbook"]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHOIRBOOK_", "CACHE_"))
    }
    done = subprocess.run(
        [*program, "stdio"],
        input=json.dumps(READ) + "\n",
        cwd=hostile,
        env=kept | {"ANTHROPIC_API_KEY": SECRET},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    resources = json.loads(done.stdout)["result"]["resources"]
    assert len(resources) > 20  # the starter library
    assert "forged" not in done.stdout
    assert_untouched(hostile, listener)


@pytest.mark.parametrize("command", ["list", "check"])
def test_no_other_command_is_either(hostile: Path, listener: socket.socket, command: str) -> None:
    (hostile / "choirbook.py").unlink()
    done = choirbook(command, "--json", cwd=hostile)
    assert done.returncode == 0, done.stderr
    assert "forged" not in done.stdout.lower()
    assert_untouched(hostile, listener)


def test_modules_of_the_directory_are_not_loaded_by_processes_that_a_command_starts(hostile: Path) -> None:
    (hostile / "choirbook.py").unlink()
    done = choirbook("stages", "--json", "--batches", "1", "--bytes", "200", cwd=hostile)
    assert done.returncode == 0, done.stderr
    assert "ran" not in done.stderr


def test_an_environment_file_counts_where_it_is_named(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "own.md").write_text("# Own\n")
    env_file = tmp_path / "settings.env"
    env_file.write_text(f"CHOIRBOOK_ROOT={library}\n")
    listed = choirbook("list", "--json", "--env-file", env_file)
    assert [each["uri"] for each in json.loads(listed.stdout)] == ["mcp://resources/files/own.md"]
    overruled = choirbook("list", "--json", "--env-file", env_file, environment={"CHOIRBOOK_ROOT": "/none"})
    assert overruled.returncode == 2


def test_stdio_takes_no_environment_file_and_says_what_to_do_instead(tmp_path: Path) -> None:
    done = choirbook("stdio", "--env-file", tmp_path / "settings.env")
    assert done.returncode == 2
    assert "reads no environment file" in " ".join(done.stderr.split())
    assert "--env-file" not in choirbook("stdio", "--help").stdout


def test_an_unknown_variable_stops_every_command_that_reads_settings() -> None:
    done = choirbook("list", environment={"CHOIRBOOK_PROT": "1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Did you mean CHOIRBOOK_PORT?" in done.stderr
