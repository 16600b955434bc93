"""What is told unasked, in figures: open streams, sessions, notifications."""

from __future__ import annotations

from carrel.errors import Era
from carrel.mcp.sessions import Sessions
from carrel.mcp.stream import Ending
from carrel.mcp.streams import Streams
from carrel.observe.metrics import ENDED_STREAMS, NOTIFICATIONS, OPEN_STREAMS, SESSIONS
from carrel.observe.recorder import Recorder


def record_pushing(streams: Streams, sessions: Sessions, recorder: Recorder) -> None:
    """Write the state of a worker's streams and sessions into its figures."""
    for era in Era:
        recorder.gauge(OPEN_STREAMS, streams.open_by_era[era], era=era.value)
    for why in Ending:
        recorder.counter(ENDED_STREAMS, streams.ended[why], reason=why.value)
    recorder.counter(NOTIFICATIONS, streams.sent)
    recorder.gauge(SESSIONS, sessions.count)
