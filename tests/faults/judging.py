"""Verification of an answer by a client. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.faults.documents import Torn, verify

RAW, JSON, HANDSHAKE, MODERN = FORMS = ("raw", "json", "handshake", "modern")


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wrong(Exception):
    """An answer that breaks a promise."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind = kind
        self.is_first = True
        """Whether nothing had come over the connection before."""


class Judge:
    """Holds each answer against those before it, whichever connection they came over."""

    def __init__(self) -> None:
        self._version_of: dict[tuple[str, str, str], int] = {}
        self._tag_of: dict[tuple[str, str, int], str] = {}

    def judge(self, form: str, name: str, answer: Answer, asked_tag: str | None) -> tuple[int, str]:
        """Return the version that an answer shows, and its entity tag.

        Args:
            form: One of `FORMS`.
            name: Of the document that was asked for.
            answer: What came.
            asked_tag: What the request's `If-None-Match` said.

        Raises:
            Wrong: It is not what it has to be.
        """
        if answer.status == 304 and asked_tag is not None:
            return self._unchanged(form, name, answer, asked_tag)
        if answer.status != 200:
            raise Wrong(f"status {answer.status}", f"{form} {name}: {answer.body[:200]!r}")
        content, tag = _content(form, answer)
        try:
            version = verify(content, name)
        except Torn as error:
            raise Wrong("torn", f"{form} {name}: {error}") from error
        known_version = self._version_of.setdefault((form, name, tag), version)
        known_tag = self._tag_of.setdefault((form, name, version), tag)
        if known_version != version or known_tag != tag:
            raise Wrong("tag", f"{form} {name}: {tag} of {version}; before, {known_tag} and {known_version}")
        return version, tag

    def _unchanged(self, form: str, name: str, answer: Answer, asked_tag: str) -> tuple[int, str]:
        tag = answer.headers.get("etag", "")
        if tag != asked_tag or answer.body:
            raise Wrong("tag", f"{form} {name}: 304 of {tag}, asked for {asked_tag}")
        return self._version_of[form, name, tag], tag


def _content(form: str, answer: Answer) -> tuple[bytes, str]:
    """Return the document inside an answer, and its entity tag."""
    if form == RAW:
        return answer.body, answer.headers["etag"]
    try:
        value: Any = json.loads(answer.body)
        if form == JSON:
            return value["content"].encode(), answer.headers["etag"]
        (item,) = value["result"]["contents"]
        return item["text"].encode(), item["_meta"]["dev.choirbook/etag"]
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("shape", f"{form}: {error!r} in {answer.body[:200]!r}") from error
