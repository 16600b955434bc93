"""Headers and certificates: what is given reaches the server, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook_perf.access import Access, Tls, access
from choirbook_perf.errors import BadInput
from choirbook_perf.targets import Request

SECRET = "s3cr3t"  # noqa: S105 - not one that opens anything


def test_headers_come_from_options_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text(f"# a comment\n\nAuthorization: Bearer {SECRET}\n")
    found = access(["X-Team: blue: green"], path, None, is_insecure=False)
    assert found.headers == (("X-Team", "blue: green"), ("Authorization", f"Bearer {SECRET}"))
    prepared = found.prepare(Request("GET", "http://h", {"x-team": "red", "Accept": "*/*"}))
    assert prepared.headers == {
        "Accept": "*/*",
        "X-Team": "blue: green",
        "Authorization": f"Bearer {SECRET}",
    }


def test_a_secret_is_not_in_the_text_of_the_object() -> None:
    assert SECRET not in repr(Access((("Authorization", SECRET),)))


@pytest.mark.parametrize(
    "header",
    [
        SECRET,
        f"bad name: {SECRET}",
        f"X: {SECRET}\nY: 2",
        f"Mcp-Session-Id: {SECRET}",
        f"content-length: {SECRET}",
        f": {SECRET}",
    ],
)
def test_a_header_that_cannot_be_used_is_refused_without_its_value(header: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refusal:
        access([header], None, None, is_insecure=False)
    assert SECRET not in refusal.value.message
    path = tmp_path / "headers"
    path.write_text(header.replace("\n", "\x00"))
    with pytest.raises(BadInput, match="line 1 of") as refusal:
        access([], path, None, is_insecure=False)
    assert SECRET not in refusal.value.message


def test_a_header_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="x-team is given twice"):
        access(["X-Team: a", "x-team: b"], None, None, is_insecure=False)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"no certificate"])
def test_files_that_cannot_be_used_are_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match="file"):
        access([], None, path, is_insecure=False)
    if content != b"no certificate":
        with pytest.raises(BadInput, match="--header-file"):
            access([], path, None, is_insecure=False)


def test_without_a_choice_certificates_are_checked() -> None:
    assert Tls().context().check_hostname
    assert not Tls(is_insecure=True).context().check_hostname
