import asyncio

import pytest

from choirbook.bench.driver import DrivenHeaders, DrivenScope
from choirbook.errors import BodyTimeout, QuotaExceeded
from choirbook.http.peers import Peers
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import Quota
from choirbook.servers.uploads import SWEEP_S, UploadQuota, Uploads

LOCAL, GREEDY, OTHER = "127.0.0.1:1", "192.0.2.1:1", "192.0.2.2:1"


def make(timeout_s: float, share: Quota | None = None) -> Uploads:
    return Uploads(timeout_s, UploadQuota(Peers(Proxies(())), Quota(1000, 1) if share is None else share))


async def receive(uploads: Uploads, body: asyncio.Future[bytes], client: str = LOCAL) -> bytes:
    """Wait for a body as the server does."""
    uploads.begin(body, DrivenScope("http", "POST", "/mcp", "", DrivenHeaders(), client))
    try:
        return await body
    except asyncio.CancelledError:
        why = uploads.cancellation_reason(body)
        if why is None:
            raise
        raise why from None
    finally:
        uploads.end(body)


def future() -> asyncio.Future[bytes]:
    return asyncio.get_running_loop().create_future()


async def test_a_body_that_arrives_is_handed_on() -> None:
    uploads, body = make(30), future()
    receiving = asyncio.create_task(receive(uploads, body))
    await asyncio.sleep(0)
    body.set_result(b"whole")
    assert await receiving == b"whole"


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    uploads = make(0.01)
    receiving = [asyncio.create_task(receive(uploads, future())) for _ in range(3)]
    async with asyncio.timeout(20 * SWEEP_S):
        outcomes = await asyncio.gather(*receiving, return_exceptions=True)
    assert all(isinstance(outcome, BodyTimeout) for outcome in outcomes)
    assert [task.cancelling() for task in receiving] == [0, 0, 0]


async def test_a_body_that_is_in_time_is_left_alone_by_sweeps_for_others() -> None:
    patient, body = make(SWEEP_S * 1.5), future()
    first = asyncio.create_task(receive(patient, future()))
    async with asyncio.timeout(20 * SWEEP_S):
        with pytest.raises(BodyTimeout):
            await first
        second = asyncio.create_task(receive(patient, body))
        await asyncio.sleep(0)
        body.set_result(b"whole")
        assert await second == b"whole"


async def test_a_client_that_hangs_up_is_no_timeout() -> None:
    uploads = make(30)
    receiving = asyncio.create_task(receive(uploads, future()))
    await asyncio.sleep(0)
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving


async def test_a_task_may_go_on_after_a_timeout() -> None:
    """Its cancellation is taken back, so that it can send the answer."""
    uploads = make(0.01)

    async def serve() -> str:
        try:
            await receive(uploads, future())
        except BodyTimeout:
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
            return "told"
        return "received"

    async with asyncio.timeout(20 * SWEEP_S):
        assert await asyncio.create_task(serve()) == "told"


async def test_a_peer_with_too_many_bodies_under_way_loses_those_that_came_last() -> None:
    share = Quota(8, 0.25)
    uploads, begun = make(30, share), list[asyncio.Task[bytes]]()
    bodies = [future() for _ in range(8)]
    for number, body in enumerate(bodies):
        client = OTHER if number == 7 else LOCAL if number == 6 else GREEDY
        begun.append(asyncio.create_task(receive(uploads, body, client)))
    await asyncio.sleep(0)
    async with asyncio.timeout(20 * SWEEP_S):
        refused = await asyncio.gather(*begun[2:6], return_exceptions=True)
    assert [type(each) for each in refused] == [QuotaExceeded] * 4
    assert (share.full, len(share)) == (1, 3)
    for body in bodies:
        if not body.done():
            body.set_result(b"whole")
    assert await asyncio.gather(*begun[:2], *begun[6:]) == [b"whole"] * 4
    assert (share.full, len(share)) == (0, 0)


async def test_nothing_is_held_of_a_body_that_timed_out() -> None:
    share = Quota(8, 0.25)
    with pytest.raises(BodyTimeout):
        await receive(make(0.01, share), future(), GREEDY)
    assert len(share) == 0
