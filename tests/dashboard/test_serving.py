"""The dashboard of real servers: who gets it, its stream, and what workers tell each other."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from choirbook.dashboard.viewers import MAX_VIEWERS
from tests.support.servers import Server, asgi_command, end, rsgi_command, running, wait_for, write_library
from tests.support.streams import Events, listening

CORE = "mcp://resources/sdlc/core"
PATH = "/mcp/resources/sdlc/core"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return write_library(tmp_path / "library")


@pytest.mark.parametrize(
    ("options", "is_served"),
    [
        ((), True),
        (("--dashboard", "off"), False),
        (("--metrics", "off"), False),
        (("--metrics", "off", "--dashboard", "on"), True),
    ],
)
def test_it_is_there_unless_it_is_switched_off(
    library: Path, tmp_path: Path, options: tuple[str, ...], *, is_served: bool
) -> None:
    with running(rsgi_command(library, *options), tmp_path / "run") as server, server.client() as client:
        assert (client.get("/dashboard").status_code == 200) is is_served
        assert (f"{server.url}/dashboard" in server.stdout) is is_served


def test_an_app_within_another_has_none_unless_it_is_asked_for(library: Path, tmp_path: Path) -> None:
    with running(asgi_command(library), tmp_path / "run") as server, server.client() as client:
        assert client.get("/dashboard").status_code == 404


@pytest.fixture(params=[rsgi_command, asgi_command], ids=["rsgi", "asgi"])
def server(request: pytest.FixtureRequest, library: Path, tmp_path: Path) -> Iterator[Server]:
    command = request.param(library)
    with running(command, tmp_path / "run", {"CHOIRBOOK_DASHBOARD": "on"}) as server:
        yield server


def test_the_stream_says_what_is_each_second(server: Server) -> None:
    with server.client() as client, client.stream("GET", "/dashboard/events") as response:
        assert response.headers["content-type"] == "text/event-stream"
        events = Events(response)
        assert events.next() == {"kind": "hello", "points": []}
        first = events.next()
        with server.client() as other:
            for _ in range(10):
                other.get(PATH)
        told = wait_for(lambda: _read_since(events, first, 10), "the reads are told")
    assert told["window"]["hit_rate"] == 0.9
    assert {(row["type"], row["result"], row["reads"]) for row in told["rows"]} == {
        ("sdlc", "hit", 9.0),
        ("sdlc", "miss", 1.0),
    }
    assert told["numbers"]["cached"] == 1
    (missed,) = [read for read in told["slowest"] if read["result"] == "miss"]
    assert "source.read" in [stage["name"] for stage in missed["stages"]]
    # The test's own asking whether the server is ready may have been answered with 503.
    assert {state["id"] for state in told["states"]} <= {"server-errors"}


def _read_since(events: Events, first: Any, reads: int) -> Any:
    told = events.next()
    return told if told["window"]["reads"] - first["window"]["reads"] == reads else None


def test_one_page_too_many_is_told_to_come_again(server: Server) -> None:
    with ExitStack() as open_, server.client() as client:
        # Held on to: a response whose lines nobody reads any more is closed.
        pages = []
        for _ in range(MAX_VIEWERS):
            viewer = open_.enter_context(server.client())
            pages.append(Events(open_.enter_context(viewer.stream("GET", "/dashboard/events"))))
            assert pages[-1].next()["kind"] == "hello"
        refused = client.get("/dashboard/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert "limit of open dashboards" in refused.json()["detail"]
        assert client.get("/dashboard").status_code == 200

    def has_room() -> bool:
        with server.client() as client, client.stream("GET", "/dashboard/events") as response:
            return response.status_code == 200

    wait_for(has_room, "pages that were closed leave room")


def test_the_server_ends_while_pages_are_open(server: Server) -> None:
    with server.client() as client, client.stream("GET", "/dashboard/events") as response:
        events = Events(response)
        events.next()
        server.process.terminate()
        events.rest()
    # Uvicorn ends by the signal itself.
    assert end(server.process) in {0, -signal.SIGTERM}


def test_workers_tell_each_other_what_each_alone_knows(library: Path, tmp_path: Path) -> None:
    with (
        running(rsgi_command(library, "--workers", "2"), tmp_path / "run") as server,
        server.client() as viewer,
        server.client(fresh=True) as client,
        viewer.stream("GET", "/dashboard/events") as response,
        ExitStack() as subscribed,
    ):
        events = Events(response)
        events.next()
        streams = []
        for number in range(6):
            # Each over a connection of its own; the system spreads them over the workers.
            other = subscribed.enter_context(server.client())
            streams.append(subscribed.enter_context(listening(other, [CORE], id_=f"sub-{number}")))
            streams[-1].next()
            client.get(PATH)

        def told() -> Any:
            events.next()
            document = client.get("/dashboard/document", params={"uri": CORE}).json()
            return document if document["streams"] == 6 else None

        document = wait_for(told, "the streams of both workers are told")
        assert document["cachedBy"] in {1, 2}
        assert wait_for(lambda: _slowest(events), "slow reads are told")


def _slowest(events: Events) -> Any:
    return [read for read in events.next()["slowest"] if read["uri"] == CORE]


def test_what_is_told_is_small(server: Server) -> None:
    with server.client() as client, client.stream("GET", "/dashboard/events") as response:
        events = Events(response)
        events.next()
        assert len(json.dumps(events.next())) < 20_000
