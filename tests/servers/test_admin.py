"""The admin surface of `choirbook serve`, with two workers and no Redis."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.servers.metrics import metrics, total
from tests.support.admin import INVALIDATE, STATS, TOKEN, WARM, audited, call, unix_client
from tests.support.servers import (
    DEADLINE_S,
    Server,
    choirbook,
    environment,
    rsgi_command,
    running,
    wait_for,
    write_library,
)
from tests.support.starting import refused

CORE, CORE_URI = "/mcp/resources/sdlc/core", "mcp://resources/sdlc/core"
WORKERS = 2


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the socket is: a short path, as that of a socket has to be."""
    with TemporaryDirectory(prefix="choirbook-") as directory:
        yield Path(directory) / "admin.sock"


@pytest.fixture
def server(tmp_path: Path, path: Path) -> Iterator[Server]:
    library = write_library(tmp_path / "library")
    command = rsgi_command(library, "--workers", str(WORKERS), "--admin", f"unix:{path}")
    with running(command, tmp_path / "run") as server:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        yield server


@pytest.fixture
def admin(server: Server, path: Path) -> Iterator[httpx.Client]:
    with unix_client(path) as client:
        wait_for(lambda: len(call(client, STATS)["workers"]) == WORKERS, "the workers know each other")
        yield client


def all_hit(server: Server) -> bool:
    """Tell whether twenty reads in a row were hits, which the system spreads over the workers."""
    with server.client(fresh=True) as client:
        return {client.get(CORE).headers["x-cache"] for _ in range(20)} == {"hit"}


def misses_of_all(server: Server) -> int:
    """Read until each worker has missed, and return how many misses that took."""
    seen: list[str] = []
    with server.client(fresh=True) as client:

        def read() -> bool:
            seen.append(client.get(CORE).headers["x-cache"])
            return seen.count("miss") == WORKERS

        wait_for(read, "each worker reads from the source")
        seen += [client.get(CORE).headers["x-cache"] for _ in range(20)]
    return seen.count("miss")


@pytest.mark.parametrize("scope", [{"all": True}, {"type": "sdlc"}, {"uri": CORE_URI}], ids=str)
def test_an_invalidation_reaches_every_worker(
    server: Server, admin: httpx.Client, scope: dict[str, object]
) -> None:
    call(admin, WARM)
    assert all_hit(server)
    answer = call(admin, INVALIDATE, **scope)
    assert (answer["workers"], answer["silent"], answer["feed"]) == (WORKERS, 0, "off")
    assert answer["forgotten"] >= WORKERS
    assert scope.items() <= answer.items()
    assert misses_of_all(server) == WORKERS


def test_warming_makes_the_first_read_of_each_worker_a_hit(server: Server, admin: httpx.Client) -> None:
    answer = call(admin, WARM)
    assert [worker["warming"]["loaded"] for worker in answer["workers"]] == [
        worker["warming"]["uris"] for worker in answer["workers"]
    ]
    assert all_hit(server)


def test_stats_are_those_of_all_workers_and_of_the_metrics(server: Server, admin: httpx.Client) -> None:
    with server.client(fresh=True) as client:
        for _ in range(50):
            client.get(CORE)
        stats = call(admin, STATS)
        page = metrics(client)
    assert {worker["pid"] for worker in stats["workers"]} == set(server.workers())
    reads = stats["reads"]
    assert reads["hits"] + reads["misses"] == 50
    assert reads["misses"] == stats["entries"] == WORKERS
    assert reads["hits"] == total(page, "mcp_resource_cache_hits_total")
    assert stats["bytes"] == total(page, "mcp_resource_cache_bytes") > 0
    for worker in stats["workers"]:
        assert (worker["redis"], worker["feed"], worker["ready"]) == ("off", "off", True)


def test_each_call_is_in_the_operators_log_without_token_or_body(server: Server, admin: httpx.Client) -> None:
    body = f'{{"uri": "{CORE_URI}"}}'
    admin.post(INVALIDATE, content=body, headers={"authorization": f"Bearer {TOKEN}"})
    admin.post("/admin/none?token=hunter2", content=b"hunter2")
    admin.post(INVALIDATE, content=b'{"password":"hunter2"}')

    def lines() -> list[dict[str, object]] | None:
        found = [line for line in audited(server) if line["call"] != f"POST {STATS}"]
        return found if len(found) == 3 else None

    # In whatever order: each worker writes its own.
    by_status = {line["status"]: line for line in wait_for(lines, "the calls are in the log")}
    done, lost, bad = by_status[200], by_status[404], by_status[400]
    peer = f"pid {os.getpid()} of user {os.getuid()}"
    assert done["message"] == (
        f"admin call POST {INVALIDATE} uri {CORE_URI} from {peer}: 200 2 invalidated on 2 workers"
    )
    assert (done["call"], done["scope"], done["peer"]) == (f"POST {INVALIDATE}", f"uri {CORE_URI}", peer)
    assert (lost["status"], lost["outcome"], lost["call"]) == (404, "MethodNotFound", "POST /admin/none")
    assert (bad["status"], bad["outcome"], bad["scope"]) == (400, "InvalidParams", None)
    assert TOKEN not in server.stderr
    assert "hunter2" not in server.stderr


def test_the_public_port_has_no_admin_calls(server: Server) -> None:
    with server.client() as client:
        for path in (INVALIDATE, WARM, STATS, "/admin", "/admin/"):
            for method in ("GET", "POST", "PUT"):
                response = client.request(method, path, json={"all": True})
                assert response.status_code == 404, (method, path)
                assert response.headers["content-type"] == "application/problem+json"
                assert "/admin/cache" not in response.text
    assert audited(server) == []


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path, path: Path) -> None:
    with running(rsgi_command(write_library(tmp_path / "library"), "--admin", f"unix:{path}"), tmp_path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_calls_that_wait_when_a_worker_is_killed_are_answered_by_another(
    server: Server, admin: httpx.Client, path: Path
) -> None:
    workers = server.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for connection in waiting:
        connection.settimeout(DEADLINE_S)
        connection.connect(str(path))
        connection.sendall(f"POST {STATS} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
    os.kill(workers[0], signal.SIGKILL)
    os.kill(workers[1], signal.SIGCONT)
    for connection in waiting:
        with connection:
            assert connection.recv(1024).startswith(b"HTTP/1.1 200")
    wait_for(lambda: len(call(admin, STATS)["workers"]) == WORKERS, "the replacement answers too")


def test_a_worker_that_stands_still_is_told_of_and_forgets_once_it_goes_on(
    server: Server, admin: httpx.Client
) -> None:
    call(admin, WARM)
    stopped = server.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        answer = call(admin, INVALIDATE, all=True)
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert (answer["workers"], answer["silent"]) == (1, 1)
    assert misses_of_all(server) == WORKERS


def test_a_rolling_restart_leaves_the_surface_where_it_is(server: Server, admin: httpx.Client) -> None:
    before = set(server.workers())
    os.kill(server.process.pid, signal.SIGHUP)

    def renewed() -> bool:
        pids = {worker["pid"] for worker in call(admin, STATS)["workers"]}
        return len(pids) == WORKERS and not pids & before

    wait_for(renewed, "both workers are new ones")


def test_a_loopback_port_wants_the_token(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o440)
    command = rsgi_command(library, "--admin", "127.0.0.1:0", "--admin-token-file", str(token))
    with running(command, tmp_path / "run") as server:
        address = server.stdout.partition("  Admin      ")[2].split()[0]
        with httpx.Client(base_url=f"http://{address}", trust_env=False) as client:
            assert client.post(STATS).status_code == 401
            assert client.post(STATS, headers={"authorization": "Bearer guessed"}).status_code == 401
            client.headers["authorization"] = f"Bearer {TOKEN}"
            assert client.post(STATS).status_code == 200
        wait_for(lambda: len(audited(server)) == 3, "the calls are in the log")
        assert sorted(line["status"] for line in audited(server)) == [200, 401, 401]
        assert {str(line["peer"]).rpartition(":")[0] for line in audited(server)} == {"127.0.0.1"}
        assert TOKEN not in server.stderr + server.stdout


def test_a_socket_that_a_killed_server_left_is_taken_over_and_one_in_use_is_not(
    tmp_path: Path, path: Path
) -> None:
    library = write_library(tmp_path / "library")
    command = rsgi_command(library, "--admin", f"unix:{path}")
    with running(command, tmp_path / "first") as first:
        code, line = refused(tmp_path, library, "--port", "0", "--admin", f"unix:{path}")
        assert (code, "is in use by another program" in line) == (1, True)
        workers = first.workers()
        first.process.kill()
        first.process.wait()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
    assert path.exists()
    with running(command, tmp_path / "second"), unix_client(path) as client:
        assert call(client, STATS)["silent"] == 0


@pytest.mark.parametrize(
    ("address", "variables", "reason"),
    [
        ("127.0.0.1:8001", {}, "need a token"),
        ("0.0.0.0:8001", {"CHOIRBOOK_ADMIN_TOKEN": TOKEN}, "other machines"),
        ("127.0.0.1:8001", {"CHOIRBOOK_ADMIN_TOKEN": "hunter2"}, "at least 16"),
        ("127.0.0.1:8001", {"CHOIRBOOK_ADMIN_TOKEN_FILE": "/nowhere"}, "cannot be read"),
        ("127.0.0.1:8001", {"CHOIRBOOK_ADMIN_TOKEN_FILE": "/dev/null"}, "at least 16"),
        ("127.0.0.1:8001", {"CHOIRBOOK_ADMIN_TOKEN_FILE": "/x", "CHOIRBOOK_ADMIN_TOKEN": TOKEN}, "set twice"),
        ("tcp/8001", {}, "unix:PATH or 127.0.0.1:PORT"),
    ],
)
def test_an_address_or_token_that_cannot_be_used_stops_the_start(
    tmp_path: Path, address: str, variables: dict[str, str], reason: str
) -> None:
    code, line = refused(
        tmp_path, write_library(tmp_path / "library"), "--port", "0", "--admin", address, **variables
    )
    assert code == 2
    assert reason in line
    assert TOKEN not in line
    assert "hunter2" not in line


@pytest.mark.parametrize(("place", "reason"), [("file", "is not a socket"), ("none/a.sock", "No such file")])
def test_a_place_where_no_socket_can_be_stops_the_start(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").write_text("kept")
    code, line = refused(
        tmp_path, write_library(tmp_path / "library"), "--port", "0", "--admin", f"unix:{place}"
    )
    assert (code, reason in line, "--admin" in line) == (1, True, True)
    assert (tmp_path / "file").read_text() == "kept"


def test_nothing_listens_and_h11_is_not_imported_where_the_surface_is_off(tmp_path: Path) -> None:
    probe = "import sys, choirbook.cli.serve, choirbook.app; sys.exit('h11' in sys.modules)"
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=tmp_path, timeout=DEADLINE_S)
    with running(rsgi_command(write_library(tmp_path / "library")), tmp_path / "run") as server:
        assert "Admin" not in server.stdout


def test_a_server_without_metrics_counts_no_reads_and_says_so(tmp_path: Path, path: Path) -> None:
    command = rsgi_command(write_library(tmp_path / "library"), "--metrics", "off", "--admin", f"unix:{path}")
    with running(command, tmp_path / "run"), unix_client(path) as client:
        assert call(client, STATS)["reads"] is None
        told = subprocess.run(
            choirbook("cache", "stats", "--admin", f"unix:{path}"),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=True,
        )
    assert "Reads are not counted" in told.stdout
