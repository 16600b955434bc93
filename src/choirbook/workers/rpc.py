"""Questions and answers between the workers of one server.

Bytes in, bytes out: the callers know what they mean. A worker handles one question at a time, in the order in
which they arrive.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import msgspec

from choirbook.runtime.tasks import end_tasks
from choirbook.runtime.threads import Threads
from choirbook.workers.mailbox import Bell

log = logging.getLogger("choirbook.neighbours")

ANSWER_S = 1.0
"""Maximum wait for a live worker, in seconds. One that takes longer is stuck, and counts as silent."""

_LOOK_S = 0.05
"""Interval in seconds at which missing workers are checked for life."""


class Answers(NamedTuple):
    """Answers to a question."""

    bodies: tuple[bytes, ...]
    silent: int
    """Live workers that did not answer in time. If the question reached them, it is still queued there."""


class _Question(msgspec.Struct, frozen=True, tag="question"):
    sender: str
    number: int
    body: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True, tag="answer"):
    sender: str
    number: int
    body: msgspec.Raw


class _Inquiry:
    """A question that waits for answers."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.news = asyncio.Event()


class Neighbours:
    """Message endpoint of one worker.

    Args:
        directory: Shared by all workers; None if there is one process only. It is created here.
        answer: Takes a question of another worker, as JSON text, and returns the answer, as JSON text.
    """

    def __init__(self, directory: Path | None, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._directory = directory
        self._answer = answer
        self._thread = Threads(1)
        self._bell: Bell | None = None
        self._numbers = count()
        self._inquiries: dict[int, _Inquiry] = {}
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to answer, on the running event loop."""
        if self._directory is None:
            return
        self._bell = await self._thread.run(_hang, self._directory)
        self._bell.listen(self._hear)
        self._task = asyncio.create_task(self._work(self._bell), name="choirbook-neighbours")

    async def stop(self) -> None:
        """Stop answering."""
        bell, self._bell = self._bell, None
        await end_tasks(self._task)
        if bell is not None:
            bell.deafen()
            await self._thread.run(bell.close)
        self._thread.close()

    async def ask(self, question: bytes, deadline_s: float = ANSWER_S) -> Answers:
        """Ask all other workers, and wait for those that are alive.

        Args:
            question: JSON text, considerably shorter than `bell.MAX_MESSAGE_BYTES`.
            deadline_s: Maximum wait for them.
        """
        bell = self._bell
        if bell is None:
            return Answers((), 0)
        number = next(self._numbers)
        inquiry = self._inquiries[number] = _Inquiry()
        try:
            message = _encode(_Question(bell.name, number, msgspec.Raw(question)))
            asked = await self._thread.run(bell.ring_others, message)
            end_s = monotonic() + deadline_s
            while (missing := asked - inquiry.answers.keys()) and monotonic() < end_s:
                inquiry.news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(_LOOK_S, end_s - monotonic())):
                        await inquiry.news.wait()
                        continue
                # Do not wait for a worker that died meanwhile: its replacement starts empty.
                asked -= {name for name in missing if not await self._thread.run(bell.is_alive, name)}
        finally:
            del self._inquiries[number]
        return Answers(tuple(inquiry.answers.values()), len(missing))

    def _hear(self, raw: bytes) -> None:
        try:
            message = _decoder.decode(raw)
        except msgspec.DecodeError as error:
            log.warning("another worker said what cannot be understood: %s", error)
            return
        if isinstance(message, _Question):
            self._questions.put_nowait(message)
            return
        inquiry = self._inquiries.get(message.number)
        if inquiry is not None:
            inquiry.answers[message.sender] = bytes(message.body)
            inquiry.news.set()

    async def _work(self, bell: Bell) -> None:
        while True:
            question = await self._questions.get()
            try:
                body = await self._answer(bytes(question.body))
                answer = _encode(_Answer(bell.name, question.number, msgspec.Raw(body)))
                await self._thread.run(bell.ring, question.sender, answer)
            except Exception:
                # Outermost edge of this task: the asker counts this worker as silent.
                log.exception("a question of another worker ended in an error that nothing expected")


def _hang(directory: Path) -> Bell:
    directory.mkdir(mode=0o700, exist_ok=True)
    return Bell(directory)


_decoder = msgspec.json.Decoder(_Question | _Answer)
_encode = msgspec.json.encode
