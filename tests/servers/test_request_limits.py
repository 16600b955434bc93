"""Requests that wait, and how many of one peer may."""

import asyncio
from collections.abc import Callable

from choirbook.bench.driver import DrivenHeaders, DrivenScope
from choirbook.composition.quotas import make_request_limits
from choirbook.http.exchange import Request, Response
from choirbook.http.peers import Peers
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import QuotaKind, Quotas

GREEDY, OTHER = "192.0.2.1:1", "192.0.2.2:1"


def request(client: str, path: str = "/mcp/search", body: bytes = b"") -> Request:
    headers = DrivenHeaders()
    return Request("GET", path, "", headers, body, DrivenScope("http", "GET", path, "", headers, client))


async def until(event: asyncio.Event) -> Response:
    await event.wait()
    return Response(200, [])


def make(quotas: Quotas) -> Callable[[Request, asyncio.Event], asyncio.Task[Response]]:
    request_limits = make_request_limits(Peers(Proxies(())), quotas)

    async def admit(request: Request, event: asyncio.Event) -> Response:
        response = await request_limits.admit(request, until(event))
        assert isinstance(response, Response)
        return response

    return lambda request, event: asyncio.create_task(admit(request, event))


async def test_a_peer_that_waits_for_its_share_is_refused_and_others_are_not() -> None:
    quotas, event = Quotas(0.25, {QuotaKind.REQUESTS: 8}), asyncio.Event()
    send = make(quotas)
    waiting = [send(request(GREEDY), event) for _ in range(2)]
    await asyncio.sleep(0)
    refused = await send(request(GREEDY), event)
    assert refused.status == 429
    assert {"retry-after", "connection"} <= dict(refused.headers).keys()
    waiting.append(send(request(OTHER), event))
    await asyncio.sleep(0)
    event.set()
    assert [each.status for each in await asyncio.gather(*waiting)] == [200] * 3
    assert (await send(request(GREEDY), event)).status == 200
    assert (len(quotas[QuotaKind.REQUESTS]), quotas[QuotaKind.REQUESTS].refused) == (0, 1)


async def test_a_refusal_at_the_endpoint_of_mcp_is_json_rpc() -> None:
    quotas, event = Quotas(0.25, {QuotaKind.REQUESTS: 4}), asyncio.Event()
    send = make(quotas)
    first = send(request(GREEDY), event)
    await asyncio.sleep(0)
    body = b'{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"x"}}'
    refused = await send(request(GREEDY, "/mcp", body), event)
    assert refused.status == 429
    assert refused.body.startswith(b'{"jsonrpc":"2.0","id":7,"error":{"code":-32603,')
    event.set()
    await first


async def test_what_tells_of_the_servers_state_has_no_share() -> None:
    quotas, event = Quotas(0.25, {QuotaKind.REQUESTS: 4}), asyncio.Event()
    send = make(quotas)
    first = send(request(GREEDY), event)
    await asyncio.sleep(0)
    metrics = send(request(GREEDY, "/metrics"), event)
    await asyncio.sleep(0)
    event.set()
    assert (await metrics).status == 200
    await first


async def test_a_request_that_is_cancelled_or_fails_gives_its_place_back() -> None:
    quotas, event = Quotas(0.25, {QuotaKind.REQUESTS: 4}), asyncio.Event()
    send = make(quotas)
    first = send(request(GREEDY), event)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert len(quotas[QuotaKind.REQUESTS]) == 0
