"""`choirbook serve --redis URL`, as its users run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.servers.metrics import count, metrics, total
from tests.support.redis import RedisServer, free_port
from tests.support.servers import choirbook, environment, rsgi_command, running, wait_for, write_library

CORE = "/mcp/resources/sdlc/core"


@pytest.mark.parametrize("url", ["redis://:hunter2@", "http://:hunter2@host", "redis://host/hunter2"])
def test_a_malformed_url_stops_the_start_and_is_not_shown(tmp_path: Path, url: str) -> None:
    library = write_library(tmp_path / "library")
    for arguments, variables in ((["--redis", url], {}), ([], {"REDIS_URL": url})):
        done = subprocess.run(
            choirbook("serve", library, "--port", "0", *arguments),
            env=environment(variables),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("choirbook: The URL of Redis is invalid: ")
        assert "Traceback" not in done.stderr
        assert "hunter2" not in done.stderr + done.stdout


def test_an_unreachable_redis_is_told_once_and_the_server_serves(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    url = f"redis://:hunter2@127.0.0.1:{free_port()}"
    with (
        running(rsgi_command(library, "--redis", url), tmp_path / "run") as server,
        server.client() as client,
    ):
        assert client.get(CORE).status_code == 200
        assert client.get("/readyz").status_code == 200
        wait_for(lambda: "is unavailable (connection)" in server.stderr, "it is told")
        wait_for(
            lambda: count(metrics(client), "choirbook_redis_errors_total", reason="connection") > 2,
            "it is tried again and again",
        )
        assert count(metrics(client), "choirbook_shared_cache_up") == 0
        assert server.stderr.count("is unavailable") == 1
        assert "hunter2" not in server.stderr + server.stdout


def test_workers_share_what_a_far_source_gave_one_of_them(tmp_path: Path, redis_server: RedisServer) -> None:
    library = write_library(tmp_path / "library")
    variables = {"REDIS_URL": redis_server.url, "CHOIRBOOK_SHARED_READS": "always"}
    command = rsgi_command(library, "--workers", "2")
    with running(command, tmp_path / "run", variables) as server, server.client(fresh=True) as client:
        wait_for(lambda: len(server.workers()) == 2, "both workers run")
        wait_for(lambda: count(metrics(client), "choirbook_shared_cache_up") == 1, "both have Redis")
        client.get(CORE)
        wait_for(lambda: redis_server.keys("*:resource:*"), "the value is written")
        seen = wait_for(
            lambda: None if (found := client.get(CORE).headers["x-cache"]) == "hit" else found,
            "the other worker reads",
        )
    assert seen == "shared"


def test_a_start_waits_for_no_frozen_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    library = write_library(tmp_path / "library")
    redis_server.freeze()
    with (
        running(rsgi_command(library, "--redis", redis_server.url), tmp_path / "run") as server,
        server.client() as client,
    ):
        assert client.get(CORE).status_code == 200
        redis_server.thaw()
        wait_for(
            lambda: count(metrics(client), "choirbook_shared_cache_up") == 1, "it is used once it answers"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "is on another machine, and whatever others write there would be served"),
        (["--redis-secret-file", "secret"], "The secret in secret must be 32 or more"),
        (["--redis-secret-file", "none"], "The Redis secret file none cannot be read"),
    ],
)
def test_redis_elsewhere_without_a_good_secret_stops_the_start(
    tmp_path: Path, options: list[str], message: str
) -> None:
    library = write_library(tmp_path / "library")
    (tmp_path / "secret").write_text("too short")
    done = subprocess.run(
        choirbook("serve", library, "--port", "0", "--redis", "redis://192.0.2.1", *options),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_hosts_with_different_secrets_serve_and_say_so(tmp_path: Path, redis_server: RedisServer) -> None:
    library = write_library(tmp_path / "library")
    variables = {"REDIS_URL": redis_server.url, "CHOIRBOOK_SHARED_READS": "always"}
    hosts = [
        running(
            rsgi_command(library),
            tmp_path / f"run-{letter}",
            {**variables, "CHOIRBOOK_REDIS_SECRET": f"{letter}0123456789abcdef" * 2},
        )
        for letter in "ab"
    ]
    with hosts[0] as one, one.client() as first, hosts[1] as two, two.client() as second:
        for client in (first, second):
            wait_for(lambda client=client: count(metrics(client), "choirbook_feed_up") == 1, "the feed is up")  # type: ignore[misc]
            assert client.get(CORE).status_code == 200
            wait_for(
                lambda client=client: total(metrics(client), "choirbook_redis_unverified_total") > 0,  # type: ignore[misc]
                "it is counted",
            )
        wait_for(lambda: "sealed with another secret" in one.stderr, "the first tells")
        assert "Check that CHOIRBOOK_REDIS_SECRET is the same on every host" in two.stderr
