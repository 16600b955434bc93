"""Dates of documents, to the second."""

from __future__ import annotations

import pytest

from choirbook.documents.rendering import http_date, iso8601

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize("rest_ns", [0, SECOND_NS - 1])
def test_part_of_a_second_is_left_out(rest_ns: int) -> None:
    unix_ns = 1_700_000_000 * SECOND_NS + rest_ns
    assert http_date(unix_ns) == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert iso8601(unix_ns) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("unix_ns", [0, 2**63 * SECOND_NS, 10**30, -(10**30)])
def test_time_that_no_date_can_say_becomes_1970(unix_ns: int) -> None:
    assert http_date(unix_ns) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert iso8601(unix_ns) == "1970-01-01T00:00:00Z"
