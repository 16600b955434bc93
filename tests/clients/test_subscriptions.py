"""The official Python SDK's client is told of edits: both eras, both transports, two workers over HTTP."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.subscriptions import Subscription
from mcp_types import ResourceListChangedNotification, ResourceUpdatedNotification

from tests.servers.metrics import metrics, total
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

SCRATCH = "mcp://resources/files/notes/scratch.txt"
PROMISED_S = 0.5
"""From an edit to its notification."""

EDITS = 5
CLIENTS = 6
"""Over HTTP it is up to the system which worker has which; that each has one is all but certain."""

Target = str | StdioServerParameters
Next = Callable[[], Awaitable[str]]
"""Waits for the next notification, and returns its URI, or `list`."""

pytestmark = pytest.mark.filterwarnings("ignore:.*is removed as of 2026-07-28.*")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_library(tmp_path / "library")


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Server]:
    with running(rsgi_command(root, "--workers", "2"), tmp_path / "run") as server:
        wait_for(lambda: len(server.workers()) == 2, "both workers run")
        yield server


@pytest.fixture(params=["http", "stdio"])
def target(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Target:
    if request.param == "http":
        server: Server = request.getfixturevalue("server")
        return server.mcp_url
    command, *arguments = choirbook("stdio", root)
    return StdioServerParameters(command=command, args=arguments, env=environment(), cwd=tmp_path)


Listened = Callable[[int], Awaitable[None]]


@pytest.fixture
def listened(request: pytest.FixtureRequest, target: Target) -> Listened:
    """Wait until so many clients of the handshake era listen; each begins to by itself."""

    async def listened(count: int) -> None:
        if isinstance(target, str):
            server: Server = request.getfixturevalue("server")
            await asyncio.to_thread(wait_for, lambda: _open_streams(server) == count, "all clients listen")

    return listened


def _open_streams(server: Server) -> float:
    with server.client() as client:
        return total(metrics(client), "choirbook_open_streams", era="handshake")


@asynccontextmanager
async def modern(target: Target) -> AsyncIterator[Next]:
    """Listen to the scratch document and the listing."""
    async with (
        Client(target, cache=None, read_timeout_seconds=DEADLINE_S) as client,
        client.listen(resources_list_changed=True, resource_subscriptions=[SCRATCH]) as subscription,
    ):
        assert subscription.honored.resources_list_changed
        assert subscription.honored.resource_subscriptions == [SCRATCH]
        yield lambda: _next_of(subscription)


async def _next_of(subscription: Subscription) -> str:
    event = await asyncio.wait_for(anext(subscription), DEADLINE_S)
    return str(getattr(event, "uri", "list"))


@asynccontextmanager
async def handshake(target: Target) -> AsyncIterator[Next]:
    """Subscribe to the scratch document; the listing comes by itself."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def take(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await told.put(str(message.params.uri))
        elif isinstance(message, ResourceListChangedNotification):
            await told.put("list")

    async with Client(
        target, mode="legacy", cache=None, message_handler=take, read_timeout_seconds=DEADLINE_S
    ) as client:
        capabilities = client.server_capabilities.resources
        assert capabilities is not None
        assert capabilities.subscribe
        assert capabilities.list_changed
        await client.subscribe_resource(SCRATCH)
        yield lambda: asyncio.wait_for(told.get(), DEADLINE_S)


ERAS = {"modern": modern, "handshake": handshake}


@pytest.mark.parametrize("era", ERAS)
async def test_edits_are_told_within_half_a_second(
    target: Target, listened: Listened, root: Path, era: str
) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(ERAS[era](target)) for _ in range(CLIENTS)]
        if era == "handshake":
            await listened(CLIENTS)
        seconds: list[float] = []
        for edit in range(EDITS):
            edited_s = time.monotonic()
            (root / "notes/scratch.txt").write_text(f"Edit {edit}.\n")
            assert {await each() for each in clients} == {SCRATCH}
            seconds.append(time.monotonic() - edited_s)

    # That each edit is told was seen. Of how soon, the median says more on a machine with other work to do.
    assert statistics.median(seconds) < PROMISED_S


@pytest.mark.parametrize("era", ERAS)
async def test_new_and_removed_documents_are_told(
    target: Target, listened: Listened, root: Path, era: str
) -> None:
    async with ERAS[era](target) as told:
        if era == "handshake":
            await listened(1)
        (root / "notes/new.txt").write_text("New.\n")
        assert await told() == "list"
        (root / "notes/scratch.txt").unlink()
        assert [await told(), await told()] == [SCRATCH, "list"]


async def test_nothing_is_told_of_what_was_unsubscribed_from(
    target: Target, listened: Listened, root: Path
) -> None:
    told: asyncio.Queue[object] = asyncio.Queue()

    async def take(message: object) -> None:
        await told.put(message)

    async with Client(target, mode="legacy", cache=None, message_handler=take) as client:
        await client.subscribe_resource(SCRATCH)
        await client.unsubscribe_resource(SCRATCH)
        await listened(1)
        (root / "notes/scratch.txt").write_text("Edited.\n")
        (root / "notes/last.txt").write_text("Last.\n")
        assert isinstance(await asyncio.wait_for(told.get(), DEADLINE_S), ResourceListChangedNotification)


async def test_unknown_uri_cannot_be_subscribed_to(target: Target) -> None:
    async with Client(target, mode="legacy", cache=None) as client:
        with pytest.raises(MCPError, match="Resource not found") as caught:
            await client.subscribe_resource("mcp://resources/sdlc/kore")
        assert caught.value.code == -32002


async def test_unknown_uri_is_left_out_of_the_acknowledgement(target: Target) -> None:
    async with (
        Client(target, cache=None) as client,
        client.listen(resource_subscriptions=[SCRATCH, "mcp://resources/sdlc/kore"]) as subscription,
    ):
        assert subscription.honored.resource_subscriptions == [SCRATCH]


async def test_several_subscriptions_of_one_client_are_told_apart(target: Target, root: Path) -> None:
    async with (
        Client(target, cache=None) as client,
        client.listen(resource_subscriptions=[SCRATCH]) as document,
        client.listen(resources_list_changed=True) as listing,
    ):
        (root / "notes/scratch.txt").write_text("Edited.\n")
        assert await _next_of(document) == SCRATCH
        (root / "notes/new.txt").write_text("New.\n")
        assert await _next_of(listing) == "list"


async def test_subscription_that_was_left_is_ended(target: Target, root: Path) -> None:
    async with Client(target, cache=None) as client:
        async with client.listen(resource_subscriptions=[SCRATCH]):
            pass
        async with client.listen(resource_subscriptions=[SCRATCH]) as again:
            (root / "notes/scratch.txt").write_text("Edited.\n")
            assert await _next_of(again) == SCRATCH
