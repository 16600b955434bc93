"""Errors that nothing expected: what the client is told, and what the log says."""

from __future__ import annotations

import errno
import json
import logging

import pytest

from choirbook.servers.unexpected_errors import answer_unexpected

log = logging.getLogger("choirbook.servers.test")
FIELDS = {"path": "/mcp"}


def test_fault_of_the_server_is_logged_with_its_traceback_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = answer_unexpected(ValueError("secret detail"), log, "cannot answer", FIELDS)
    assert (response.status, json.loads(response.body)["title"]) == (500, "Internal error")
    assert b"secret" not in response.body
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "cannot answer")
    assert record.exc_info is not None
    assert record.__dict__["fields"] == FIELDS


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_want_of_descriptors_is_told_to_the_client_and_logged_in_a_line(
    caplog: pytest.LogCaptureFixture, code: int
) -> None:
    response = answer_unexpected(OSError(code, "none left"), log, "cannot answer")
    assert response.status == 503
    assert "retry-after" in dict(response.headers)
    assert "no free file descriptor" in json.loads(response.body)["detail"]
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage() == f"cannot answer: [Errno {code}] none left"
    assert record.__dict__["fields"] == {}
