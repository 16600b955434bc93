"""Metrics of notifications: open streams, sessions, messages sent."""

from __future__ import annotations

from choirbook.errors import Era
from choirbook.mcp.client_stream import Ending
from choirbook.mcp.open_streams import Streams
from choirbook.mcp.sessions.http import Sessions
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
