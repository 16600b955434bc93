import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.decoding import RECOVERABLE, recover
from choirbook.documents.rendering import Stamp, render
from choirbook.model import Content, Form, Representation, ResourceInfo, SourceEntry, Version

STAMP = Stamp(1000, {"name": "choirbook", "version": "1"})
VERSION = Version("1")


def info(media_type: str, size: int) -> ResourceInfo:
    return ResourceInfo("u", "u", "a.md", "a", "A", "", "file", media_type, size, 5, VERSION)


documents = st.one_of(
    st.text(max_size=200).map(str.encode),
    st.binary(max_size=200),
    st.binary(max_size=20).map(lambda b: b * 200),
)


@given(data=documents, media_type=st.sampled_from(["text/markdown", "application/octet-stream"]))
@pytest.mark.parametrize("form", sorted(RECOVERABLE))
def test_every_form_that_holds_a_document_gives_it_back(form: Form, data: bytes, media_type: str) -> None:
    whole = Content(data, SourceEntry("a.md", VERSION, len(data), 5))
    of = info(media_type, len(data))
    assert recover(of, {form: render(of, whole, form, STAMP)}) == whole


@pytest.mark.parametrize("form", sorted(set(Form) - RECOVERABLE))
def test_other_forms_give_nothing(form: Form) -> None:
    of = info("text/markdown", 4)
    made = render(of, Content(b"# A\n", SourceEntry("a.md", VERSION, 4, 5)), form, STAMP)
    assert recover(of, {form: made}) is None


def test_what_does_not_hash_to_the_document_is_not_taken_for_it() -> None:
    digest = hashlib.sha256(b"whole").hexdigest()
    part = {Form.RAW: Representation(b"who", '"e"', [], digest, [])}
    assert recover(info("text/markdown", 5), part) is None
