"""The engine's process as its parent sees it."""

from __future__ import annotations

import io

from choirbook_perf.engine.starting import _read

PROGRESS = b'{"second":1,"users":2,"requests":3,"failures":0,"p50_ms":1.0,"p95_ms":2.0,"p99_ms":3.0}\n'


def test_a_process_that_ended_while_it_wrote_has_no_result() -> None:
    seen: list[int] = []
    measured = _read(io.BytesIO(PROGRESS + b'{"started_s":1.0,"dur'), lambda each: seen.append(each.requests))
    assert measured is None
    assert seen == [3]
