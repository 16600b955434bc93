"""Metrics of notifications: open streams, sessions, messages sent."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.http import HttpSessions
from choirbook.observe.metrics import ENDED_STREAMS, NOTIFICATIONS, OPEN_STREAMS, SESSIONS
from choirbook.observe.recorder import Recorder


def record_pushing(streams: OpenStreams, sessions: HttpSessions, recorder: Recorder) -> None:
    """Record the state of a worker's streams and sessions."""
    for era in Era:
        recorder.gauge(OPEN_STREAMS, streams.open_by_era[era], era=era.value)
    for why in EndReason:
        recorder.counter(ENDED_STREAMS, streams.ended[why], reason=why.value)
    recorder.counter(NOTIFICATIONS, streams.sent)
    recorder.gauge(SESSIONS, sessions.count)
