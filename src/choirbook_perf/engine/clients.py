"""Clients of the server under test: each of one project, with a session where the protocol has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from choirbook_perf.engine.connections import Channel, Channels, Ended
from choirbook_perf.engine.encoding import Encoded, session_lines
from choirbook_perf.engine.health import HealthMonitor
from choirbook_perf.engine.recording import Recording, Request
from choirbook_perf.plan import Plan
from choirbook_perf.targets import UNKNOWN, Judge, Operation, Session, opened

Then = Callable[[], None]


class Exchange:
    """One request under way."""

    __slots__ = ("_client", "_operation", "_then", "connection", "due_s")

    def __init__(self, client: Client, operation: Operation, due_s: float, then: Then) -> None:
        self.due_s = due_s
        self.connection: Channel | None = None
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


class _Steps(NamedTuple):
    """How a session is opened and ended."""

    operation: Operation
    """What a failure is recorded as."""
    initialize: Encoded
    initialized: Encoded
    end: Encoded


class Shared:
    """What all clients of a load share."""

    def __init__(
        self, plan: Plan, connections: Channels, recording: Recording, health: HealthMonitor
    ) -> None:
        self.plan = plan
        self.connections = connections
        self.recording = recording
        self.health = health
        self.judge = Judge().judge
        self.open: dict[Exchange, None] = {}
        """Requests under way, the oldest first."""
        self.when_idle: Then | None = None
        """Called as soon as no request is under way."""
        self.sessions_opened = self.sessions_closed = 0
        self._encoded = {id(operation): Encoded(operation.request) for operation in plan.operations()}
        self.handshake: _Steps | None = None
        if plan.handshake is not None and not plan.command:
            steps = (plan.handshake.initialize, plan.handshake.initialized, plan.handshake.end)
            opening = Operation(
                name="initialize", resource_type=UNKNOWN, kind="initialize", address="", request=steps[0]
            )
            self.handshake = _Steps(opening, *map(Encoded, steps))

    def encoded(self, operation: Operation) -> Encoded:
        """Return the bytes of an operation of the plan."""
        return self._encoded[id(operation)]

    def give_up(self, before_s: float, failure: str) -> None:
        """End all requests that were due before a time as failed."""
        for exchange in [each for each in self.open if each.due_s < before_s]:
            if exchange.connection is not None:
                exchange.connection.give_up(failure)


class Client:
    """One client, of one project."""

    def __init__(self, shared: Shared, project: str) -> None:
        self.shared = shared
        self.project = project
        self._session = Session()
        self._lines = b""
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

    def send(self, operation: Operation, due_s: float, now_s: float, connection: Channel, then: Then) -> None:
        """Send an operation.

        Args:
            operation: Operation of the plan.
            due_s: When it should be sent.
            now_s: The time now.
            connection: Connection without a request.
            then: Called when the request ended.
        """
        shared = self.shared
        shared.health.send(now_s - due_s)
        shared.recording.send(due_s, now_s)
        exchange = Exchange(self, operation, due_s, then)
        exchange.connection = connection
        shared.open[exchange] = None
        lines = b"" if operation.opens_session else self._lines
        connection.request(shared.encoded(operation).bytes(lines), exchange.end)

    def judge(self, operation: Operation, due_s: float, ended: Ended) -> None:
        """Evaluate and record what a request ended with."""
        failure, cache_result, sample = ended.failure, UNKNOWN, b""
        head = ended.head
        if head is not None:
            failure, cache_result = self.shared.judge(operation, head.status, head, ended.body)
            sample = ended.body if failure else b""
            if operation.opens_session:
                self._end(opened(head.status, head, ended.body).session)
            elif self._session.is_lost(head.status):
                # The status may mean something else, so that the session still exists.
                self._end(self._session)
                self.open(_nothing)
        recording = self.shared.recording
        if ended.first_s:
            recording.first_byte(due_s, ended.first_s - ended.sent_s)
        recording.end(
            Request(operation, self.project, due_s, ended.sent_s, ended.done_s, failure, cache_result, sample)
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
        connection = self.shared.connections.take()

        def initialized(_: Ended) -> None:
            self.shared.connections.put(connection)
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
            again = connection if connection.is_usable else self.shared.connections.take()
            again.request(steps.initialized.bytes(self._lines), initialized)

        connection.request(steps.initialize.bytes(), answered)

    def close(self, then: Then) -> None:
        """End the session, if there is one."""
        if self._is_opening:
            # What is being opened has to be ended too.
            self._waiting.append(lambda: self.close(then))
            return
        steps = self.shared.handshake
        if steps is None or not self._session.id:
            then()
            return
        connection = self.shared.connections.take()

        def ended(how: Ended) -> None:
            self.shared.sessions_closed += not how.failure
            then()

        connection.request(steps.end.bytes(self._lines), ended)
        self._session = Session()

    def _end(self, session: Session) -> None:
        """End a session that is not the client's any more; nothing waits for it."""
        steps = self.shared.handshake
        if steps is None or not session.id:
            return
        connection = self.shared.connections.take()
        connection.request(
            steps.end.bytes(session_lines(session)), lambda _: self.shared.connections.put(connection)
        )

    def _take_session(self, ended: Ended) -> str:
        if ended.head is None:
            return f"initialize: {ended.failure}"
        made = opened(ended.head.status, ended.head, ended.body)
        self._session, self._lines = made.session, session_lines(made.session)
        self.shared.sessions_opened += bool(made.session.id)
        return made.failure

    def _fail_to_open(self, operation: Operation, failure: str, started_s: float, ended: Ended) -> None:
        self.shared.recording.end(
            Request(operation, self.project, started_s, ended.sent_s, ended.done_s, failure, UNKNOWN)
        )


def _nothing() -> None:
    """Do nothing more."""
