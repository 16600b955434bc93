import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.media_types import PLAIN, UNKNOWN, is_textual, media_type_of


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("a/b/core.md", "text/markdown"),
        ("CORE.MD", "text/markdown"),
        ("prd-template.xml", "application/xml"),
        ("a.tar.gz", "application/gzip"),
        ("pixel.png", "image/png"),
        ("Dockerfile", "text/plain"),
        ("a/LICENSE", "text/plain"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_name_decides_whatever_the_bytes_are(path: str, media_type: str) -> None:
    assert media_type_of(path) == media_type
    assert media_type_of(path, b"\0\xff") == media_type


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"just text", PLAIN),
        ("Käse".encode(), PLAIN),
        (("x" * 100 + "€").encode()[:-1], PLAIN),  # cut inside a character, as a head may be
        (b"", UNKNOWN),
        (b"a\0b", UNKNOWN),
        (b"\xff\xfe" + b"text" * 10, UNKNOWN),
    ],
)
def test_the_first_bytes_decide_for_an_unknown_name(head: bytes, media_type: str) -> None:
    assert media_type_of("a/unknown.zzz", head) == media_type


@given(st.text(max_size=50), st.binary(max_size=50))
def test_every_name_has_a_type_without_parameters(path: str, head: bytes) -> None:
    family, slash, kind = media_type_of(path, head).partition("/")
    assert family
    assert slash
    assert kind
    assert ";" not in kind


@pytest.mark.parametrize(
    ("media_type", "textual"),
    [
        ("text/x-anything", True),
        ("application/json", True),
        ("application/xml", True),
        ("image/svg+xml", True),
        ("application/problem+json", True),
        ("image/png", False),
        ("application/octet-stream", False),
        ("application/pdf", False),
    ],
)
def test_text_is_known_by_its_type(media_type: str, textual: bool) -> None:  # noqa: FBT001
    assert is_textual(media_type) is textual
