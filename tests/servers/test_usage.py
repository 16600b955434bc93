"""The ledger of what is read, of real servers: one worker and two, ended, killed and started again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest

from choirbook.usage.records import ClientUsage
from choirbook.usage.reports import open_to_read
from tests.clients.test_stdio import initialize as initialize_line
from tests.clients.test_stdio import line, talk
from tests.servers.conftest import Start
from tests.support.servers import end, message, rsgi_command, running, wait_for
from tests.support.streams import begin_session, in_session

CORE = "mcp://resources/sdlc/core"
CORE_PATH = "/mcp/resources/sdlc/core"
WORKERS = 2
READS = 40


def told(path: Path) -> tuple[dict[str, int], list[ClientUsage]]:
    try:
        store = open_to_read(path)
    except sqlite3.Error:
        return {}, []  # not there yet
    try:
        return {each.uri: each.reads for each in store.resources() if each.reads}, store.clients()
    finally:
        store.close()


def test_nothing_is_lost_when_a_server_is_told_to_stop(start: Start, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    for runs in (1, 2):
        with (
            start(root, CHOIRBOOK_USAGE=str(path)) as server,
            server.client() as client,
        ):
            for _ in range(READS):
                client.get(CORE_PATH, headers={"user-agent": "reader/1.0"})
            end(server.process)
        resources, clients = told(path)
        assert resources == {CORE: READS * runs}
        (reader,) = clients
        assert (reader.name, reader.version, reader.reads) == ("reader", "1.0", READS * runs)


def test_all_workers_count_into_one_file_and_know_each_others_sessions(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    command = rsgi_command(root, "--workers", str(WORKERS), "--usage", str(path))
    with running(command, tmp_path / "run") as server, server.client(fresh=True) as client:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        session = begin_session(client)
        for _ in range(READS):
            assert in_session(client, session, "resources/read", uri=CORE).status_code == 200
        wait_for(lambda: told(path)[0] == {CORE: READS}, "all reads are in the file")
        _, clients = told(path)
        assert [(each.name, each.version, each.reads) for each in clients] == [("test", "1", READS)]
        assert '"level":"warning"' not in server.stderr


def test_a_killed_worker_takes_no_more_than_the_last_moment_with_it(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    command = rsgi_command(root, "--workers", str(WORKERS), "--usage", str(path))
    with running(command, tmp_path / "run") as server, server.client(fresh=True) as client:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        for _ in range(READS):
            client.get(CORE_PATH)
        wait_for(lambda: told(path)[0] == {CORE: READS}, "all reads are in the file")
        killed = server.workers()[0]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: killed not in server.workers() and len(server.workers()) == WORKERS, "a new one")

        def read_more() -> bool:
            try:
                client.get(CORE_PATH)
            except httpx.TransportError:
                return False  # it was waiting at the worker that died
            return told(path)[0][CORE] > READS

        wait_for(read_more, "counting goes on")


def test_a_broken_file_touches_no_request_and_is_told_once(start: Start, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    path.write_text("this is a text, and stays one\n" * 100)
    with start(root, CHOIRBOOK_USAGE=str(path)) as server, server.client() as client:
        for _ in range(READS):
            assert client.get(CORE_PATH).status_code == 200
        said = wait_for(
            lambda: [line for line in server.stderr.splitlines() if "cannot write usage" in line],
            "the operator is told",
        )
        for _ in range(READS):
            assert client.get(CORE_PATH).status_code == 200
        assert len(said) == 1
    assert server.stderr.count("cannot write usage") == 1
    assert path.read_text() == "this is a text, and stays one\n" * 100


def test_a_full_disk_touches_no_request_and_is_told_once(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "usage.sqlite"
    # No file may be longer than 8 KiB (16 KiB where sh is bash), as if the disk had no more.
    limited = ["sh", "-c", 'ulimit -f 16 && exec "$@"', "sh"]
    command = [*limited, *rsgi_command(root, "--usage", str(path), "--no-access-log")]
    with running(command, tmp_path / "run") as server, server.client() as client:
        for _ in range(READS):
            assert client.get(CORE_PATH).status_code == 200
        wait_for(lambda: "cannot write usage" in server.stderr, "the operator is told")
        for _ in range(READS):
            assert client.get(CORE_PATH).status_code == 200
        end(server.process)
    assert server.stderr.count("cannot write usage") == 1


def test_without_a_path_nothing_is_left_behind(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with running(rsgi_command(root), tmp_path / "run", {"TMPDIR": str(own)}) as server:
        with server.client() as client:
            client.get(CORE_PATH, headers={"user-agent": "private/1"})
        (path,) = wait_for(lambda: list(own.glob("choirbook-*/usage.sqlite")), "the file is there")
        wait_for(lambda: told(path) == ({CORE: 1}, []), "the read is in it")
        assert end(server.process) == 0
    assert list(own.iterdir()) == []


def test_a_place_that_cannot_be_ends_the_start(root: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        rsgi_command(root, "--usage", str(tmp_path / "none" / "usage.sqlite")),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "does not exist. Create it" in done.stderr


@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_over_a_pipe_the_client_is_the_one_at_its_other_end(root: Path, tmp_path: Path, era: str) -> None:
    path = tmp_path / "usage.sqlite"
    read = message(era, "resources/read", "read", uri=CORE)
    sent = [initialize_line("2025-11-25")] if era == "handshake" else []
    if era == "modern":
        read["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = {"name": "test", "version": "1"}
    assert talk(root, [*sent, line(read)], {"CHOIRBOOK_USAGE": str(path)}).code == 0
    resources, clients = told(path)
    assert resources == {CORE: 1}
    assert [(each.name, each.version, each.reads) for each in clients] == [("test", "1", 1)]
