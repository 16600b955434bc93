import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from choirbook.workers.mailbox import Mailbox
from choirbook.workers.rpc import MAX_PART_BYTES, Answers, WorkerRpc
from tests.support.waiting import eventually


async def echo(question: bytes) -> bytes:
    return b'{"said":' + question + b"}"


@asynccontextmanager
async def server_status(directory: Path, count: int) -> AsyncIterator[list[WorkerRpc]]:
    workers = [WorkerRpc(directory / "rpc") for _ in range(count)]
    for worker in workers:
        worker.on_question("echo", echo)
        await worker.start()
    yield workers
    for worker in workers:
        await worker.stop()


async def test_all_others_answer_a_question(tmp_path: Path) -> None:
    async with server_status(tmp_path, 3) as workers:
        heard = await workers[0].ask("echo", b'"?"')
    assert heard == Answers((b'{"said":"?"}', b'{"said":"?"}'), 0)


async def test_nobody_but_the_user_gets_at_the_directory(tmp_path: Path) -> None:
    async with server_status(tmp_path, 1):
        assert (tmp_path / "rpc").stat().st_mode & 0o777 == 0o700


async def test_one_process_alone_has_nobody_to_ask() -> None:
    alone = WorkerRpc(None)
    await alone.start()
    assert await alone.ask("echo", b"1") == Answers((), 0)
    await alone.stop()


async def test_two_who_ask_each_other_at_once_are_both_answered(tmp_path: Path) -> None:
    async with server_status(tmp_path, 2) as (one, other):
        asking = (each.ask("echo", b"%d" % number) for number in range(20) for each in (one, other))
        heard = await asyncio.gather(*asking)
    assert [answers.bodies for answers in heard] == [(b'{"said":%d}' % n,) for n in range(20) for _ in "12"]


async def test_one_question_is_dealt_with_after_the_other(tmp_path: Path) -> None:
    order: list[str] = []

    async def slowly(question: bytes) -> bytes:
        order.append(f"begin {question.decode()}")
        await asyncio.to_thread(lambda: None)
        order.append(f"end {question.decode()}")
        return question

    one, other = (WorkerRpc(tmp_path / "rpc") for _ in range(2))
    other.on_question("echo", slowly)
    await one.start()
    await other.start()
    await asyncio.gather(*(one.ask("echo", b"%d" % number) for number in range(3)))
    assert order == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]
    await one.stop()
    await other.stop()


async def test_who_is_alive_and_does_not_answer_is_silent(tmp_path: Path) -> None:
    async with server_status(tmp_path, 2) as (one, _):
        stuck = await asyncio.to_thread(Mailbox, tmp_path / "rpc")
        # The one that answers has as long: it may be kept from it on a busy machine.
        heard = await one.ask("echo", b"1", deadline_s=1.0)
        await asyncio.to_thread(stuck.close)
    assert heard == Answers((b'{"said":1}',), 1)


async def test_who_fails_to_answer_is_silent_and_answers_the_next_question(tmp_path: Path) -> None:
    async def fail_at_one(question: bytes) -> bytes:
        if question == b"1":
            raise ValueError
        return question

    one, other = (WorkerRpc(tmp_path / "rpc") for _ in range(2))
    other.on_question("echo", fail_at_one)
    await one.start()
    await other.start()
    assert await one.ask("echo", b"1", deadline_s=0.05) == Answers((), 1)
    assert await one.ask("echo", b"2") == Answers((b"2",), 0)
    await one.stop()
    await other.stop()


async def test_who_died_is_not_waited_for(tmp_path: Path) -> None:
    async with server_status(tmp_path, 2) as (one, _):
        # A socket whose process is gone: its name stays, and nobody has it open.
        left = await asyncio.to_thread(Mailbox, tmp_path / "rpc")
        name = f"{left.name}.mailbox"
        os.link(tmp_path / "rpc" / name, tmp_path / "kept")
        await asyncio.to_thread(left.close)
        (tmp_path / "kept").rename(tmp_path / "rpc" / name)
        assert await one.ask("echo", b"1", deadline_s=10) == Answers((b'{"said":1}',), 0)
        assert not (tmp_path / "rpc" / name).exists()


async def test_what_cannot_be_understood_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with server_status(tmp_path, 2) as (one, _):
        stranger = await asyncio.to_thread(Mailbox, tmp_path / "rpc")
        late = msgspec.msgpack.encode(["answer", "x", 99, 0, 1, b"1"])
        for message in (b"\xff", b"\x80", b"", late):
            await asyncio.to_thread(stranger.send_to_others, message)
        await asyncio.to_thread(stranger.close)
        assert (await one.ask("echo", b"1")).silent == 0
    assert caplog.text.count("received an invalid message") == 6


async def test_each_topic_has_an_answer_of_its_own(tmp_path: Path) -> None:
    async def count(question: bytes) -> bytes:
        return b"%d" % len(question)

    async with server_status(tmp_path, 2) as (one, other):
        other.on_question("length", count)
        assert await one.ask("length", b"four") == Answers((b"4",), 0)
        assert await one.ask("echo", b"1") == Answers((b'{"said":1}',), 0)
        assert await one.ask("unknown", b"1", deadline_s=0.05) == Answers((), 1)


@pytest.mark.parametrize("size", [0, MAX_PART_BYTES, MAX_PART_BYTES + 1, 1_000_000])
async def test_an_answer_may_be_longer_than_a_message(tmp_path: Path, size: int) -> None:
    async def answer_at_length(_: bytes) -> bytes:
        return os.urandom(1) * size

    async with server_status(tmp_path, 3) as (one, *others):
        for each in others:
            each.on_question("long", answer_at_length)
        heard = await one.ask("long", b"?", deadline_s=10.0)
    assert [len(body) for body in heard.bodies] == [size] * 2
    assert all(len(set(body)) <= 1 for body in heard.bodies)


async def test_notes_reach_all_others_or_the_one_they_are_for(tmp_path: Path) -> None:
    heard: list[tuple[int, bytes]] = []
    async with server_status(tmp_path, 3) as workers:
        for number, each in enumerate(workers):
            each.on_note("news", lambda note, number=number: heard.append((number, note)))  # type: ignore[misc]
        await asyncio.to_thread(workers[0].send_note_to_others, "news", b"all")
        await eventually(lambda: sorted(heard) == [(1, b"all"), (2, b"all")])
        heard.clear()
        await asyncio.to_thread(workers[0].send_note, workers[2].name, "news", b"one")
        await eventually(lambda: heard == [(2, b"one")])
        workers[2].stop_notes("news")
        await asyncio.to_thread(workers[0].send_note_to_others, "news", b"again")
        await eventually(lambda: heard == [(2, b"one"), (1, b"again")])


async def test_a_note_is_heard_while_a_question_is_dealt_with(tmp_path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    heard: list[bytes] = []

    async def wait(_: bytes) -> bytes:
        asked.set()
        await answer.wait()
        return b"done"

    async with server_status(tmp_path, 2) as (one, other):
        other.on_question("slow", wait)
        other.on_note("news", heard.append)
        asking = asyncio.create_task(one.ask("slow", b"?", deadline_s=10.0))
        await asked.wait()
        await asyncio.to_thread(one.send_note_to_others, "news", b"urgent")
        await eventually(lambda: heard == [b"urgent"])
        assert not asking.done()
        answer.set()
        assert await asking == Answers((b"done",), 0)


async def test_whether_another_worker_runs_is_known(tmp_path: Path) -> None:
    async with server_status(tmp_path, 2) as (one, other):
        name = other.name
        assert name != one.name
        assert await asyncio.to_thread(one.is_alive, name)
        await other.stop()
        assert not await asyncio.to_thread(one.is_alive, name)
    alone = WorkerRpc(None)
    assert not alone.is_alive(alone.name)
    alone.send_note(alone.name, "news", b"nobody")
    alone.send_note_to_others("news", b"nobody")
