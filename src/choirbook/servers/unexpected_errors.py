"""Answers to requests that failed with an unexpected error, the same for all servers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from choirbook.errors import exhausted
from choirbook.http.exchange import Response
from choirbook.http.problems import internal_error, problem
from choirbook.runtime.exhaustion import is_exhaustion


def answer_unexpected(
    error: Exception, log: logging.Logger, what: str, fields: Mapping[str, Any] | None = None
) -> Response:
    """Log an error and create the response; called where it was caught.

    Args:
        error: The error. The response describes it only if it means that no descriptor is left.
        log: Logger of the server.
        what: Message of the log line.
        fields: Further fields of the line.
    """
    extra = {"fields": dict(fields or {})}
    if is_exhaustion(error):
        # A line without a traceback: there may be many, and none shows a fault of the code.
        log.warning("%s: %s", what, error, extra=extra)
        return problem(exhausted())
    log.error(what, exc_info=error, extra=extra)
    return internal_error()
