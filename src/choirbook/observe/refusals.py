"""Metrics of peers that want more than their share; no peer becomes a label."""

from __future__ import annotations

from choirbook.mcp.sessions.http import Sessions
from choirbook.observe.metrics import PEERS_AT_SHARE, SHARE_REFUSALS
from choirbook.observe.recorder import Recorder
from choirbook.runtime.quotas import Kind, Shares


def record_shares(shares: Shares, sessions: Sessions, recorder: Recorder) -> None:
    """Record the state of a worker's shares."""
    for kind in Kind:
        refused, full = shares[kind].refused, shares[kind].full
        if kind is Kind.SESSIONS:
            refused, full = sessions.refused, sessions.peers_at_share
        recorder.counter(SHARE_REFUSALS, refused, share=kind.value)
        recorder.gauge(PEERS_AT_SHARE, full, share=kind.value)
