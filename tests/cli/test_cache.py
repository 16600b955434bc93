"""`choirbook cache`, against a server with two workers."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import pytest

from tests.support.admin import TOKEN
from tests.support.cli import choirbook
from tests.support.redis import free_port
from tests.support.servers import Server, rsgi_command, running, wait_for, write_library

URI = "mcp://resources/sdlc/core"
WORKERS = 2


class Rig:
    """A server, and how it is asked."""

    def __init__(self, server: Server, address: str) -> None:
        self.server, self.address = server, address

    def ask(self, *arguments: str) -> CompletedProcess[str]:
        """Run `choirbook cache` with the server's address in the environment."""
        return choirbook("cache", *arguments, environment={"CHOIRBOOK_ADMIN": self.address})

    def stats(self) -> dict[str, object]:
        answer: dict[str, object] = json.loads(self.ask("stats", "--json").stdout)
        return answer


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    library = write_library(tmp_path_factory.mktemp("library"))
    with TemporaryDirectory(prefix="choirbook-") as directory:
        address = f"unix:{directory}/admin.sock"
        command = rsgi_command(library, "--workers", str(WORKERS), "--admin", address)
        with running(command, tmp_path_factory.mktemp("run")) as server:
            rig = Rig(server, address)
            wait_for(lambda: len(rig.stats()["workers"]) == WORKERS, "both workers answer")  # type: ignore[arg-type]
            yield rig


def test_a_person_is_told_what_was_forgotten_and_by_whom(rig: Rig) -> None:
    done = rig.ask("invalidate", URI)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Invalidated: 2 URIs on 2 workers.\n", "")
    assert rig.ask("invalidate", "--type", "pattern").returncode == 0
    assert rig.ask("invalidate", "--all").returncode == 0


def test_a_program_gets_json(rig: Rig) -> None:
    answer = json.loads(rig.ask("invalidate", "--json", URI).stdout)
    assert answer == {"workers": 2, "silent": 0, "forgotten": 2, "feed": "off", "uri": URI}
    warmed = json.loads(rig.ask("warm", "--json").stdout)
    assert [worker["warming"]["failed"] for worker in warmed["workers"]] == [0, 0]
    assert warmed["entries"] == sum(worker["entries"] for worker in warmed["workers"]) > 0


def test_warming_ends_with_a_table_of_what_was_loaded(rig: Rig) -> None:
    rig.ask("invalidate", "--all")
    done = rig.ask("warm")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert " ".join(head) == "Worker URIs Already cached Loaded Failed No room"
    assert {int(row[0]) for row in rows} == set(rig.server.workers())
    for _, uris, held, loaded, failed, no_room in rows:
        assert (int(held) + int(loaded), failed, no_room) == (int(uris), "0", "0")


def test_stats_are_a_table_and_the_reads_of_all_workers(rig: Rig) -> None:
    rig.ask("warm")
    with rig.server.client(fresh=True) as client:
        for _ in range(10):
            client.get("/mcp/resources/sdlc/core")
    done = rig.ask("stats")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert " ".join(head) == "Worker Entries Bytes Evictions Resources Generation Redis Feed Lost"
    assert {int(row[0]) for row in rows[:WORKERS]} == set(rig.server.workers())
    assert {tuple(row[-3:]) for row in rows[:WORKERS]} == {("off", "off", "0")}
    assert "hits (" in done.stdout


def test_the_address_may_be_given_by_a_flag_as_for_the_server(rig: Rig) -> None:
    done = choirbook("cache", "stats", "--json", "--admin", rig.address)
    assert (done.returncode, json.loads(done.stdout)["silent"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("mcp://resources/sdlc/cor",), "Did you mean mcp://resources/sdlc/core?"),
        (("--type", "none"), "The types are:"),
        (("no uri",), "has no scheme"),
        (("\udce9",), "has no scheme"),
    ],
)
def test_what_the_server_refuses_is_said_with_exit_1(
    rig: Rig, arguments: tuple[str, ...], reason: str
) -> None:
    done = rig.ask("invalidate", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [(), (URI, "--all"), ("--all", "--type", "sdlc")])
def test_not_exactly_one_thing_to_forget_is_a_wrong_use(rig: Rig, arguments: tuple[str, ...]) -> None:
    done = rig.ask("invalidate", *arguments)
    assert done.returncode == 2
    assert "Pass exactly one of URI, --type T and --all." in done.stderr


def test_a_worker_that_stands_still_is_told_of_with_exit_7(rig: Rig) -> None:
    stopped = rig.server.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        done = rig.ask("invalidate", "--all")
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert done.returncode == 7
    assert "on 1 worker.\n" in done.stdout
    assert "1 worker did not answer" in done.stderr
    wait_for(lambda: rig.ask("stats").returncode == 0, "it answers again")


@pytest.mark.parametrize("command", ["stats", "warm", "invalidate --all"])
def test_where_nobody_answers_is_one_clear_line_and_exit_3(tmp_path: Path, command: str) -> None:
    left = tmp_path / "left"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(left))
    for address in (f"unix:{tmp_path}/none", f"unix:{left}", f"127.0.0.1:{free_port()}"):
        environment = {"CHOIRBOOK_ADMIN": address, "CHOIRBOOK_ADMIN_TOKEN": TOKEN}
        done = choirbook("cache", *command.split(), environment=environment)
        assert (done.returncode, done.stdout) == (3, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"choirbook: No server answers at {address} (")
        assert f"--admin {address}" in line


def test_a_server_that_is_another_is_told_from_the_admin_surface(rig: Rig) -> None:
    variables = {"CHOIRBOOK_ADMIN_TOKEN": TOKEN}
    public = choirbook("cache", "stats", "--admin", f"127.0.0.1:{rig.server.port}", environment=variables)
    assert (public.returncode, public.stdout) == (1, "")
    assert "There is no such route." in public.stderr
    with socket.create_server(("127.0.0.1", 0)) as silent:
        listener = f"127.0.0.1:{silent.getsockname()[1]}"
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(choirbook, "cache", "stats", "--admin", listener, environment=variables)
            connection, _ = silent.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            done = asking.result()
    assert done.returncode == 5
    assert "is not Choirbook's admin listener" in done.stderr


def test_without_an_address_it_is_said_how_to_give_one() -> None:
    done = choirbook("cache", "stats")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--admin ADDRESS or CHOIRBOOK_ADMIN" in done.stderr


def test_a_token_that_is_missing_or_wrong_is_exit_4(tmp_path: Path) -> None:
    library, token = write_library(tmp_path / "library"), tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    command = rsgi_command(library, "--admin", "127.0.0.1:0", "--admin-token-file", str(token))
    with running(command, tmp_path / "run") as server:
        address = server.stdout.partition("  Admin      ")[2].split()[0]
        refused = choirbook(
            "cache", "stats", environment={"CHOIRBOOK_ADMIN": address, "CHOIRBOOK_ADMIN_TOKEN": "x" * 16}
        )
        assert (refused.returncode, refused.stdout) == (4, "")
        assert "needs the server's admin token" in refused.stderr
        done = choirbook("cache", "stats", "--admin", address, "--admin-token-file", token)
        assert (done.returncode, done.stderr) == (0, "")
