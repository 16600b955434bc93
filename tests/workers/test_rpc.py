import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from choirbook.workers.mailbox import Bell
from choirbook.workers.rpc import Answers, Neighbours


async def echo(question: bytes) -> bytes:
    return b'{"said":' + question + b"}"


@asynccontextmanager
async def crew(directory: Path, count: int) -> AsyncIterator[list[Neighbours]]:
    workers = [Neighbours(directory / "neighbours", echo) for _ in range(count)]
    for worker in workers:
        await worker.start()
    yield workers
    for worker in workers:
        await worker.stop()


async def test_all_others_answer_a_question(tmp_path: Path) -> None:
    async with crew(tmp_path, 3) as workers:
        heard = await workers[0].ask(b'"?"')
    assert heard == Answers((b'{"said":"?"}', b'{"said":"?"}'), 0)


async def test_nobody_but_the_user_gets_at_the_directory(tmp_path: Path) -> None:
    async with crew(tmp_path, 1):
        assert (tmp_path / "neighbours").stat().st_mode & 0o777 == 0o700


async def test_one_process_alone_has_nobody_to_ask() -> None:
    alone = Neighbours(None, echo)
    await alone.start()
    assert await alone.ask(b"1") == Answers((), 0)
    await alone.stop()


async def test_two_who_ask_each_other_at_once_are_both_answered(tmp_path: Path) -> None:
    async with crew(tmp_path, 2) as (one, other):
        heard = await asyncio.gather(*(each.ask(b"%d" % n) for n in range(20) for each in (one, other)))
    assert [answers.bodies for answers in heard] == [(b'{"said":%d}' % n,) for n in range(20) for _ in "12"]


async def test_one_question_is_dealt_with_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    async def slowly(question: bytes) -> bytes:
        order.append(f"begin {question.decode()}")
        await asyncio.to_thread(lambda: None)
        order.append(f"end {question.decode()}")
        return question

    one, other = (Neighbours(tmp_path / "neighbours", slowly) for _ in range(2))
    await one.start()
    await other.start()
    await asyncio.gather(*(one.ask(b"%d" % number) for number in range(3)))
    assert order == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]
    await one.stop()
    await other.stop()


async def test_who_is_alive_and_does_not_answer_is_silent(tmp_path: Path) -> None:
    async with crew(tmp_path, 2) as (one, _):
        stuck = await asyncio.to_thread(Bell, tmp_path / "neighbours")
        # The one that answers has as long: it may be kept from it on a busy machine.
        heard = await one.ask(b"1", deadline_s=1.0)
        await asyncio.to_thread(stuck.close)
    assert heard == Answers((b'{"said":1}',), 1)


async def test_who_fails_to_answer_is_silent_and_answers_the_next_question(tmp_path: Path) -> None:
    async def fail_at_one(question: bytes) -> bytes:
        if question == b"1":
            raise ValueError
        return question

    one, other = (Neighbours(tmp_path / "neighbours", fail_at_one) for _ in range(2))
    await one.start()
    await other.start()
    assert await one.ask(b"1", deadline_s=0.05) == Answers((), 1)
    assert await one.ask(b"2") == Answers((b"2",), 0)
    await one.stop()
    await other.stop()


async def test_who_died_is_not_waited_for(tmp_path: Path) -> None:
    async with crew(tmp_path, 2) as (one, _):
        # A socket whose process is gone: its name stays, and nobody has it open.
        left = await asyncio.to_thread(Bell, tmp_path / "neighbours")
        name = f"{left.name}.bell"
        os.link(tmp_path / "neighbours" / name, tmp_path / "kept")
        await asyncio.to_thread(left.close)
        (tmp_path / "kept").rename(tmp_path / "neighbours" / name)
        assert await one.ask(b"1", deadline_s=10) == Answers((b'{"said":1}',), 0)
        assert not (tmp_path / "neighbours" / name).exists()


async def test_what_cannot_be_understood_is_passed_over(tmp_path: Path) -> None:
    async with crew(tmp_path, 2) as (one, _):
        stranger = await asyncio.to_thread(Bell, tmp_path / "neighbours")
        for message in (b"\xff", b"{}", b'{"type":"answer","sender":"x","number":0,"body":1}', b""):
            await asyncio.to_thread(stranger.ring_others, message)
        await asyncio.to_thread(stranger.close)
        assert (await one.ask(b"1")).silent == 0
