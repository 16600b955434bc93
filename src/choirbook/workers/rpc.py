"""Calls between the workers of one server: questions that all others answer, and notes that nobody answers.

Each has a topic; whoever uses a topic gives bytes a meaning. A worker deals with one question at a time, in
the order in which they were asked. A note is passed on at once, also while a question is being dealt with.
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
from choirbook.workers.mailbox import MAX_MESSAGE_BYTES, Bell

log = logging.getLogger("choirbook.workers")

ANSWER_S = 1.0
"""Maximum wait for a live worker, in seconds. One that takes longer is stuck, and counts as silent."""

MAX_PART_BYTES = MAX_MESSAGE_BYTES - 128
"""Maximum bytes of an answer in one message, beside its sender. Longer answers are sent in parts."""

_ALONE = "only"
"""Name of a worker that has no others."""

_LOOK_S = 0.05
"""Interval in seconds at which missing workers are checked for life."""


class Answers(NamedTuple):
    """Answers to a question."""

    bodies: tuple[bytes, ...]
    silent: int
    """Live workers that did not answer in time. If the question reached them, it is still queued there."""


class _Question(msgspec.Struct, frozen=True, tag="question", array_like=True):
    sender: str
    number: int
    topic: str
    body: bytes


class _Answer(msgspec.Struct, frozen=True, tag="answer", array_like=True):
    """An answer, or a part of one."""

    sender: str
    number: int
    part: int
    parts: int
    body: bytes


class _Note(msgspec.Struct, frozen=True, tag="note", array_like=True):
    topic: str
    body: bytes


class _Inquiry:
    """A question that waits for answers."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.news = asyncio.Event()
        self._parts: dict[str, dict[int, bytes]] = {}

    def take(self, answer: _Answer) -> None:
        """Take in a part of an answer."""
        parts = self._parts.setdefault(answer.sender, {})
        parts[answer.part] = answer.body
        if len(parts) == answer.parts:
            self.answers[answer.sender] = b"".join(parts[number] for number in sorted(parts))
            self.news.set()


class Neighbours:
    """One worker's side.

    Args:
        directory: Of this channel alone, the same for all workers; None where there is one process only. It
            is made here.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._answerers: dict[str, Callable[[bytes], Awaitable[bytes]]] = {}
        self._hearers: dict[str, Callable[[bytes], None]] = {}
        self._thread = Threads(1)
        self._bell: Bell | None = None
        self._numbers = count()
        self._inquiries: dict[int, _Inquiry] = {}
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Name of this worker, by which others can send it notes."""
        return _ALONE if self._bell is None else self._bell.name

    def on_question(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Register what answers the questions of a topic. Without it, this worker is silent on the topic."""
        self._answerers[topic] = answer

    def on_note(self, topic: str, hear: Callable[[bytes], None]) -> None:
        """Register what is called with the notes of a topic, on the event loop."""
        self._hearers[topic] = hear

    async def start(self) -> None:
        """Start to answer, on the running event loop."""
        if self._directory is None:
            return
        self._bell = await self._thread.run(_hang, self._directory)
        self._bell.listen(self._hear)
        self._task = asyncio.create_task(self._work(self._bell), name="choirbook-rpc")

    async def stop(self) -> None:
        """Stop answering."""
        bell, self._bell = self._bell, None
        await end_tasks(self._task)
        if bell is not None:
            bell.deafen()
            await self._thread.run(bell.close)
        self._thread.close()

    def stop_hearing(self, *topics: str) -> None:
        """Pass on no more notes of some topics."""
        for topic in topics:
            self._hearers.pop(topic, None)

    def is_alive(self, worker: str) -> bool:
        """Tell whether another worker runs. Blocking."""
        return self._bell is not None and self._bell.is_alive(worker)

    def tell(self, worker: str, topic: str, note: bytes) -> None:
        """Send a note to one worker. Blocking.

        Args:
            worker: Its `name`.
            topic: Of the note.
            note: Shorter than `MAX_PART_BYTES`.
        """
        if self._bell is not None:
            self._bell.ring(worker, _encode(_Note(topic, note)))

    def tell_others(self, topic: str, note: bytes) -> None:
        """Send a note to all other workers. Blocking; see `tell`."""
        if self._bell is not None:
            self._bell.ring_others(_encode(_Note(topic, note)))

    async def ask(self, topic: str, question: bytes, deadline_s: float = ANSWER_S) -> Answers:
        """Ask all other workers, and wait for those that are alive.

        Args:
            topic: Of the question.
            question: Shorter than `MAX_PART_BYTES`.
            deadline_s: How long they are waited for.
        """
        bell = self._bell
        if bell is None:
            return Answers((), 0)
        number = next(self._numbers)
        inquiry = self._inquiries[number] = _Inquiry()
        try:
            message = _encode(_Question(bell.name, number, topic, question))
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
            log.warning("received an invalid message from another worker: %s", error)
            return
        match message:
            case _Question():
                self._questions.put_nowait(message)
            case _Answer(number=number):
                inquiry = self._inquiries.get(number)
                if inquiry is not None:
                    inquiry.take(message)
            case _Note(topic=topic, body=body):
                hear = self._hearers.get(topic)
                if hear is not None:
                    hear(body)

    async def _work(self, bell: Bell) -> None:
        while True:
            question = await self._questions.get()
            answer = self._answerers.get(question.topic)
            if answer is None:
                continue
            try:
                body = await answer(question.body)
                await self._thread.run(bell.ring, question.sender, *_in_parts(bell.name, question, body))
            except Exception:
                # Outermost edge of this task: the asker counts this worker as silent.
                log.exception("unexpected error while answering another worker")


def _in_parts(sender: str, question: _Question, body: bytes) -> list[bytes]:
    parts = [body[at : at + MAX_PART_BYTES] for at in range(0, len(body), MAX_PART_BYTES)] or [b""]
    return [
        _encode(_Answer(sender, question.number, part, len(parts), each)) for part, each in enumerate(parts)
    ]


def _hang(directory: Path) -> Bell:
    directory.mkdir(mode=0o700, exist_ok=True)
    return Bell(directory)


_decoder = msgspec.msgpack.Decoder(_Question | _Answer | _Note)
_encode = msgspec.msgpack.encode
