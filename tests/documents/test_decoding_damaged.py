"""Damaged forms, as a Redis without a secret may hold them, are passed over."""

from __future__ import annotations

import msgspec
import pytest

from choirbook.documents.decoding import recover
from choirbook.documents.rendering import Stamp, render
from choirbook.model import Content, Form, Representation, ResourceInfo, SourceEntry, Version

TEXT = b"# The same line again\n" * 100
INFO = ResourceInfo("u", "u", "a.md", "a", "A", "", "file", "text/markdown", len(TEXT), 5, Version("1"))
WHOLE = Content(TEXT, SourceEntry("a.md", INFO.version, len(TEXT), 5))


def made(form: Form, body: bytes | None = None) -> Representation:
    found = render(INFO, WHOLE, form, Stamp(1000, {"name": "choirbook", "version": "1"}))
    return found if body is None else msgspec.structs.replace(found, body=body)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (Form.RAW, b"less"),
        (Form.RAW_GZIP, b"no gzip"),
        (Form.JSON, b"no JSON"),
        (Form.JSON, b'{"content":"!","encoding":"base64"}'),
        (Form.MCP_MODERN, b'{"contents":[]}'),
    ],
)
def test_form_that_is_damaged_gives_way_to_one_that_is_whole(form: Form, body: bytes) -> None:
    damaged = {form: made(form, body)}
    assert recover(INFO, damaged) is None
    assert recover(INFO, {**damaged, Form.JSON_ZSTD: made(Form.JSON_ZSTD)}) == WHOLE
