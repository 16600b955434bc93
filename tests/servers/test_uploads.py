import asyncio
from time import monotonic

import pytest

from carrel.errors import BodyTimeout
from carrel.servers.uploads import SWEEP_S, Uploads


async def receive(uploads: Uploads, body: asyncio.Future[bytes]) -> bytes:
    """Wait for a body as the server does."""
    uploads.begin(body, monotonic())
    try:
        return await body
    except asyncio.CancelledError:
        if not uploads.was_overdue(body):
            raise
        raise BodyTimeout("The body did not arrive in time.") from None
    finally:
        uploads.end(body)


def future() -> asyncio.Future[bytes]:
    return asyncio.get_running_loop().create_future()


async def test_a_body_that_arrives_is_handed_on() -> None:
    uploads, body = Uploads(timeout_s=30), future()
    receiving = asyncio.create_task(receive(uploads, body))
    await asyncio.sleep(0)
    body.set_result(b"whole")
    assert await receiving == b"whole"


async def test_a_body_that_does_not_arrive_is_given_up() -> None:
    uploads = Uploads(timeout_s=0.01)
    receiving = [asyncio.create_task(receive(uploads, future())) for _ in range(3)]
    async with asyncio.timeout(20 * SWEEP_S):
        outcomes = await asyncio.gather(*receiving, return_exceptions=True)
    assert all(isinstance(outcome, BodyTimeout) for outcome in outcomes)
    assert [task.cancelling() for task in receiving] == [0, 0, 0]


async def test_a_body_that_is_in_time_is_left_alone_by_sweeps_for_others() -> None:
    patient, body = Uploads(timeout_s=SWEEP_S * 1.5), future()
    first = asyncio.create_task(receive(patient, future()))
    async with asyncio.timeout(20 * SWEEP_S):
        with pytest.raises(BodyTimeout):
            await first
        second = asyncio.create_task(receive(patient, body))
        await asyncio.sleep(0)
        body.set_result(b"whole")
        assert await second == b"whole"


async def test_a_client_that_hangs_up_is_no_timeout() -> None:
    uploads = Uploads(timeout_s=30)
    receiving = asyncio.create_task(receive(uploads, future()))
    await asyncio.sleep(0)
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving


async def test_a_task_may_go_on_after_a_timeout() -> None:
    """Its cancellation is taken back, so that it can send the answer."""
    uploads = Uploads(timeout_s=0.01)

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
