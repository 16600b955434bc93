"""Maximum time for a body to arrive."""

from __future__ import annotations

from time import monotonic

from choirbook.servers.uploads import SWEEP_S
from tests.servers.test_upload_limits import Awaited, begin, make
from tests.support.waiting import eventually


async def test_body_has_all_of_its_time_from_the_first_sweep_that_sees_it() -> None:
    timeout_s = 1.5 * SWEEP_S
    uploads, waiting, began_s = make(timeout_s), Awaited(), monotonic()
    begin(uploads, waiting)
    await eventually(lambda: waiting.cancelled)
    assert monotonic() - began_s >= SWEEP_S + timeout_s
