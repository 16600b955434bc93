"""Remote calls between the workers of one server: questions that all others answer, and notes without answer.

Each has a topic, whose users define the meaning of the bytes. A worker answers one question at a time, in the
order of their arrival. A note is handled at once, even while a question is being answered.
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
from choirbook.workers.mailbox import MAX_MESSAGE_BYTES, Mailbox

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
    """A question whose answers are awaited."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.news = asyncio.Event()
        self._parts: dict[str, dict[int, bytes]] = {}

    def take(self, answer: _Answer) -> None:
        """Add a part of an answer."""
        parts = self._parts.setdefault(answer.sender, {})
        parts[answer.part] = answer.body
        if len(parts) == answer.parts:
            self.answers[answer.sender] = b"".join(parts[number] for number in sorted(parts))
            self.news.set()


class WorkerRpc:
    """Questions and notes between one worker and the others.

    Args:
        directory: Directory for this purpose alone, shared by all workers and created here; None if there is
            one process only.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._question_handlers: dict[str, Callable[[bytes], Awaitable[bytes]]] = {}
        self._note_handlers: dict[str, Callable[[bytes], None]] = {}
        self._thread = Threads(1)
        self._mailbox: Mailbox | None = None
        self._numbers = count()
        self._inquiries: dict[int, _Inquiry] = {}
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Name of this worker, by which others can send it notes."""
        return _ALONE if self._mailbox is None else self._mailbox.name

    def on_question(self, topic: str, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Register the function that answers questions of a topic; without one they are not answered."""
        self._question_handlers[topic] = answer

    def on_note(self, topic: str, handle: Callable[[bytes], None]) -> None:
        """Register the function to call with the notes of a topic, on the event loop."""
        self._note_handlers[topic] = handle

    async def start(self) -> None:
        """Start to answer, on the running event loop."""
        if self._directory is None:
            return
        self._mailbox = await self._thread.run(_open_mailbox, self._directory)
        self._mailbox.listen(self._receive)
        self._task = asyncio.create_task(self._work(self._mailbox), name="choirbook-rpc")

    async def stop(self) -> None:
        """Stop answering."""
        mailbox, self._mailbox = self._mailbox, None
        await end_tasks(self._task)
        if mailbox is not None:
            mailbox.stop_listening()
            await self._thread.run(mailbox.close)
        self._thread.close()

    def stop_notes(self, *topics: str) -> None:
        """Ignore notes of some topics from now on."""
        for topic in topics:
            self._note_handlers.pop(topic, None)

    def is_alive(self, worker: str) -> bool:
        """Return whether another worker is running. Blocking."""
        return self._mailbox is not None and self._mailbox.is_alive(worker)

    def send_note(self, worker: str, topic: str, note: bytes) -> None:
        """Send a note to one worker. Blocking.

        Args:
            worker: `name` of the worker.
            topic: Topic of the note.
            note: Content, shorter than `MAX_PART_BYTES`.
        """
        if self._mailbox is not None:
            self._mailbox.send(worker, _encode(_Note(topic, note)))

    def send_note_to_others(self, topic: str, note: bytes) -> None:
        """Send a note to all other workers. Blocking; see `send_note`."""
        if self._mailbox is not None:
            self._mailbox.send_to_others(_encode(_Note(topic, note)))

    async def ask(self, topic: str, question: bytes, deadline_s: float = ANSWER_S) -> Answers:
        """Ask all other workers, and wait for those that are alive.

        Args:
            topic: Topic of the question.
            question: Content, shorter than `MAX_PART_BYTES`.
            deadline_s: Maximum wait in seconds.
        """
        mailbox = self._mailbox
        if mailbox is None:
            return Answers((), 0)
        number = next(self._numbers)
        inquiry = self._inquiries[number] = _Inquiry()
        try:
            message = _encode(_Question(mailbox.name, number, topic, question))
            asked = await self._thread.run(mailbox.send_to_others, message)
            end_s = monotonic() + deadline_s
            while (missing := asked - inquiry.answers.keys()) and monotonic() < end_s:
                inquiry.news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(_LOOK_S, end_s - monotonic())):
                        await inquiry.news.wait()
                        continue
                # Do not wait for a worker that died meanwhile: its replacement starts empty.
                asked -= {name for name in missing if not await self._thread.run(mailbox.is_alive, name)}
        finally:
            del self._inquiries[number]
        return Answers(tuple(inquiry.answers.values()), len(missing))

    def _receive(self, raw: bytes) -> None:
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
                handle = self._note_handlers.get(topic)
                if handle is not None:
                    handle(body)

    async def _work(self, mailbox: Mailbox) -> None:
        while True:
            question = await self._questions.get()
            answer = self._question_handlers.get(question.topic)
            if answer is None:
                continue
            try:
                body = await answer(question.body)
                await self._thread.run(
                    mailbox.send, question.sender, *_in_parts(mailbox.name, question, body)
                )
            except Exception:
                # Outermost edge of this task: the asker counts this worker as silent.
                log.exception("unexpected error while answering another worker")


def _in_parts(sender: str, question: _Question, body: bytes) -> list[bytes]:
    parts = [body[at : at + MAX_PART_BYTES] for at in range(0, len(body), MAX_PART_BYTES)] or [b""]
    return [
        _encode(_Answer(sender, question.number, part, len(parts), each)) for part, each in enumerate(parts)
    ]


def _open_mailbox(directory: Path) -> Mailbox:
    directory.mkdir(mode=0o700, exist_ok=True)
    return Mailbox(directory)


_decoder = msgspec.msgpack.Decoder(_Question | _Answer | _Note)
_encode = msgspec.msgpack.encode
