"""Clients of the server under test: each of one project, with a session where the protocol has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import NamedTuple, Protocol

from choirbook_perf.engine.encoding import session_lines
from choirbook_perf.engine.health import HealthMonitor
from choirbook_perf.engine.links import Ended, Link, Pool
from choirbook_perf.engine.recording import EndedRequest, LoadRecording
from choirbook_perf.engine.responses import Head
from choirbook_perf.plan import Plan
from choirbook_perf.targets import FIRST_ID, UNKNOWN, Judge, Operation, Session, opened
from choirbook_perf.targets import Request as PlannedRequest

Then = Callable[[], None]


class Exchange:
    """One request under way."""

    __slots__ = ("_client", "_operation", "_then", "due_s", "link")

    def __init__(
        self, client: LoadClient, operation: Operation, due_s: float, link: Link, then: Then
    ) -> None:
        self.due_s = due_s
        self.link = link
        self._client = client
        self._operation = operation
        self._then = then

    def end(self, ended: Ended) -> None:
        """Judge and record the response."""
        shared = self._client.shared
        shared.open.pop(self, None)
        self._client.judge(self._operation, self.due_s, ended)
        self._then()
        if shared.when_idle is not None and not shared.open:
            shared.when_idle()


class Wire(Protocol):
    """A request as bytes, but for the session."""

    def bytes(self, session_lines: bytes = b"", id_: int = FIRST_ID) -> bytes:
        """Return the bytes to send."""
        ...


class _Steps(NamedTuple):
    """How a session is opened and ended."""

    operation: Operation
    """Operation that a failure is recorded for."""
    initialize: Wire
    initialized: Wire
    end: Wire


class Shared:
    """State that all clients of a load share.

    Args:
        plan: Requests.
        encode: Returns the bytes of a request.
        connect: Returns the links that a client has.
        recording: Counts.
        health: Observation of the process.
    """

    def __init__(
        self,
        plan: Plan,
        encode: Callable[[PlannedRequest], Wire],
        connect: Callable[[], Pool],
        recording: LoadRecording,
        health: HealthMonitor,
    ) -> None:
        self.plan = plan
        self.connect = connect
        self.recording = recording
        self.health = health
        self.judge = Judge().judge
        self.open: dict[Exchange, None] = {}
        """Requests under way, the oldest first."""
        self.when_idle: Then | None = None
        """Called as soon as no request is under way."""
        self.sessions_opened = self.sessions_ended = 0
        self._wires = {id(operation): encode(operation.request) for operation in plan.operations()}
        self.handshake: _Steps | None = None
        if plan.handshake is not None:
            steps = (plan.handshake.initialize, plan.handshake.initialized, plan.handshake.end)
            opening = Operation(
                name="initialize", resource_type=UNKNOWN, kind="initialize", address="", request=steps[0]
            )
            self.handshake = _Steps(opening, *map(encode, steps))

    def wire(self, operation: Operation) -> Wire:
        """Return the bytes of an operation of the plan."""
        return self._wires[id(operation)]

    def give_up(self, before_s: float, failure: str) -> None:
        """End all requests that were due before a time as failed."""
        for exchange in [each for each in self.open if each.due_s < before_s]:
            exchange.link.give_up(failure)


class LoadClient:
    """One client, of one project."""

    def __init__(self, shared: Shared, project: str) -> None:
        self.shared = shared
        self.project = project
        self.links = shared.connect()
        self._session = Session()
        self._lines = b""
        self._ids = count(FIRST_ID + 1)
        self._is_opening = False
        self._waiting: list[Then] = []

    @property
    def is_ready(self) -> bool:
        """Whether it has the session that it needs."""
        return not self._is_opening

    def when_ready(self, then: Then) -> None:
        """Call back as soon as no session is being opened."""
        if self._is_opening:
            self._waiting.append(then)
        else:
            then()

    def send(self, operation: Operation, due_s: float, now_s: float, link: Link, then: Then) -> None:
        """Send an operation.

        Args:
            operation: Operation of the plan.
            due_s: When it should be sent.
            now_s: The time now.
            link: Link without a request.
            then: Called when the request ended.
        """
        shared = self.shared
        shared.health.send(now_s - due_s)
        shared.recording.send(due_s, now_s)
        exchange = Exchange(self, operation, due_s, link, then)
        shared.open[exchange] = None
        lines = b"" if operation.opens_session else self._lines
        id_ = next(self._ids) if lines else FIRST_ID
        link.request(shared.wire(operation).bytes(lines, id_), exchange.end)

    def judge(self, operation: Operation, due_s: float, ended: Ended) -> None:
        """Evaluate and record what a request ended with."""
        failure, cache_result, sample = ended.failure, UNKNOWN, b""
        head = ended.head
        if head is not None:
            failure, cache_result = self.shared.judge(operation, head.status, head, ended.body)
            sample = ended.body if failure else b""
            self._renew(operation, head, ended.body)
        recording = self.shared.recording
        if ended.first_s:
            recording.first_byte(due_s, ended.first_s - ended.sent_s)
        recording.end(
            EndedRequest(
                operation, self.project, due_s, ended.sent_s, ended.done_s, failure, cache_result, sample
            )
        )

    def open(self, then: Then) -> None:
        """Open a session, if the protocol has them; also in place of one that is lost."""
        steps = self.shared.handshake
        if steps is None:
            then()
            return
        if self._is_opening:
            return
        self._is_opening = True
        self._session, self._lines = Session(), b""
        started_s = time.monotonic()
        link = self.links.take()

        def initialized(_: Ended) -> None:
            self.links.put(link)
            self._is_opening = False
            waiting, self._waiting = self._waiting, []
            for each in (then, *waiting):
                each()

        def answered(ended: Ended) -> None:
            failure = self._take_session(ended)
            if failure:
                self._fail_to_open(steps.operation, failure, started_s, ended)
                initialized(ended)
                return
            again = link if link.is_usable else self.links.take()
            again.request(steps.initialized.bytes(self._lines), initialized)

        link.request(steps.initialize.bytes(), answered)

    def close(self, then: Then) -> None:
        """End the session, if there is one."""
        if self._is_opening:
            # What is being opened has to be ended too.
            self._waiting.append(lambda: self.close(then))
            return
        session, self._session = self._session, Session()
        self._end(session, then)

    def _renew(self, operation: Operation, head: Head, body: bytes) -> None:
        """End what an operation opened, and replace a session that the server does not know any more."""
        if operation.opens_session:
            opening = opened(head.status, head, body).session
            self.shared.sessions_opened += bool(opening.id)
            self._end(opening, _nothing)
        elif self._session.is_lost(head.status):
            # The status may mean something else, so that the session still exists.
            self._end(self._session, _nothing)
            self.open(_nothing)
        elif not self._session.version:
            self.open(_nothing)  # the last attempt failed

    def _end(self, session: Session, then: Then) -> None:
        steps = self.shared.handshake
        if steps is None or not session.id:
            then()
            return
        link = self.links.take()

        def ended(_: Ended) -> None:
            self.shared.sessions_ended += 1
            self.links.put(link)
            then()

        link.request(steps.end.bytes(session_lines(session)), ended)

    def _take_session(self, ended: Ended) -> str:
        if ended.head is None:
            return f"initialize: {ended.failure}"
        made = opened(ended.head.status, ended.head, ended.body)
        self._session, self._lines = made.session, session_lines(made.session)
        self.shared.sessions_opened += bool(made.session.id)
        return made.failure

    def _fail_to_open(self, operation: Operation, failure: str, started_s: float, ended: Ended) -> None:
        self.shared.recording.end(
            EndedRequest(operation, self.project, started_s, ended.sent_s, ended.done_s, failure, UNKNOWN)
        )


def _nothing() -> None:
    """Do nothing more."""
