"""Calls of the admin surface, by a client of another make than Choirbook's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.servers import DEADLINE_S, Server

TOKEN = "4f1c9be02d7a4f1c9be02d7a"  # noqa: S105 - of the tests
INVALIDATE, WARM, STATS = (f"/admin/cache/{call}" for call in ("invalidate", "warm", "stats"))
"""Spelled here once more: they are what users have in their scripts."""


def unix_client(path: Path) -> httpx.Client:
    """Make a client of a socket in the file system."""
    transport = httpx.HTTPTransport(uds=str(path))
    return httpx.Client(transport=transport, base_url="http://choirbook", timeout=DEADLINE_S)


def call(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """Make a call that is answered well."""
    response = client.post(path, json=body)
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


def audited(server: Server) -> list[dict[str, Any]]:
    """Return the lines about admin calls."""
    lines = [json.loads(line) for line in server.stderr.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line.get("logger") == "choirbook.admin"]
