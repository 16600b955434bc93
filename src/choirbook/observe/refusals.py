"""Metrics of refusals by quota; no peer becomes a label."""

from __future__ import annotations

from choirbook.mcp.sessions.http import HttpSessions
from choirbook.observe.metrics import PEERS_AT_SHARE, SHARE_REFUSALS
from choirbook.observe.recorder import Recorder
from choirbook.runtime.quotas import QuotaKind, Quotas


def record_quotas(quotas: Quotas, sessions: HttpSessions, recorder: Recorder) -> None:
    """Record the state of a worker's quotas."""
    for kind in QuotaKind:
        refused, full = quotas[kind].refused, quotas[kind].full
        if kind is QuotaKind.SESSIONS:
            refused, full = sessions.refused, sessions.peers_at_limit
        recorder.counter(SHARE_REFUSALS, refused, share=kind.value)
        recorder.gauge(PEERS_AT_SHARE, full, share=kind.value)
