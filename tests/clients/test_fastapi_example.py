"""`examples/fastapi_app.py` does what it says: under Uvicorn, and in FastAPI's own test client."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Protocol

import pytest
from fastapi.testclient import TestClient
from mcp.client.client import Client

from choirbook.settings import STARTER_LIBRARY
from examples.fastapi_app import app
from tests.support.servers import Server, running

CORE = (STARTER_LIBRARY / "sdlc-core.md").read_text("utf-8")


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    command = [sys.executable, "-m", "uvicorn", "examples.fastapi_app:app", "--port", "0"]
    with running(command, tmp_path_factory.mktemp("portal")) as server:
        yield server


class Answered(Protocol):
    """Response of both clients."""

    status_code: int

    def json(self) -> dict[str, object]: ...


class Asking(Protocol):
    """Common interface of both clients."""

    def get(self, url: str, /) -> Answered: ...


@pytest.fixture(params=["uvicorn", "test client"])
def client(request: pytest.FixtureRequest) -> Iterator[Asking]:
    if request.param == "uvicorn":
        portal: Server = request.getfixturevalue("portal")
        with portal.client() as over_the_wire:
            yield over_the_wire
    else:
        with TestClient(app) as in_process:
            yield in_process


def test_documents_are_served_beside_the_routes_of_the_app(client: Asking) -> None:
    assert client.get("/team").json()["name"] == "Platform"
    assert client.get("/standards/mcp/resources/sdlc/core").json()["content"] == CORE


def test_both_describe_themselves(client: Asking) -> None:
    outer, inner = client.get("/openapi.json").json(), client.get("/standards/openapi.json").json()

    assert outer["info"] == {"title": "Team portal", "version": "0.1.0"}
    assert "/mcp/resources" in str(inner["paths"])


def test_choirbook_is_ready_and_has_no_routes_outside_its_place(client: Asking) -> None:
    assert client.get("/standards/readyz").json()["status"] == "ready"
    assert client.get("/readyz").status_code == 404
    assert client.get("/mcp/resources/sdlc/core").status_code == 404
    assert client.get("/standards/nothing").status_code == 404


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_agent_reads_from_the_mounted_endpoint(portal: Server, mode: str) -> None:
    async with Client(f"{portal.url}/standards/mcp", mode=mode, cache=None) as agent:
        (item,) = (await agent.read_resource("mcp://resources/sdlc/core")).contents

    assert getattr(item, "text", None) == CORE


def test_app_comes_up_again_after_it_went_down() -> None:
    # As in a test suite that makes a client for each test; every time something that no cache holds yet.
    for document in ("go/core", "go/errors", "go/testing"):
        with TestClient(app) as in_process:
            assert in_process.get(f"/standards/mcp/resources/patterns/{document}").status_code == 200
