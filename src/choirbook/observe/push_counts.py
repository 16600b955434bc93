"""Metrics of notifications: open streams, sessions, messages sent."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.mcp.sessions.http import Sessions
from choirbook.mcp.stream import Ending
from choirbook.mcp.streams import Streams
from choirbook.observe.metrics import ENDED_STREAMS, NOTIFICATIONS, OPEN_STREAMS, SESSIONS
from choirbook.observe.recorder import Recorder


def record_pushing(streams: Streams, sessions: Sessions, recorder: Recorder) -> None:
    """Record the state of a worker's streams and sessions."""
    for era in Era:
        recorder.gauge(OPEN_STREAMS, streams.open_by_era[era], era=era.value)
    for why in Ending:
        recorder.counter(ENDED_STREAMS, streams.ended[why], reason=why.value)
    recorder.counter(NOTIFICATIONS, streams.sent)
    recorder.gauge(SESSIONS, sessions.count)
