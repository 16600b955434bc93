import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import InvalidSettings
from choirbook.runtime.admin_address import LoopbackAddress, UnixAddress, parse_admin_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/choirbook.sock", UnixAddress("/run/choirbook.sock")),
        ("unix:choirbook.sock", UnixAddress("choirbook.sock")),
        ("127.0.0.1:8001", LoopbackAddress("127.0.0.1", 8001)),
        ("127.1.2.3:0", LoopbackAddress("127.1.2.3", 0)),
        ("localhost:8001", LoopbackAddress("localhost", 8001)),
        ("[::1]:8001", LoopbackAddress("::1", 8001)),
    ],
)
def test_an_address_is_read_and_spelled_alike(text: str, address: UnixAddress | LoopbackAddress) -> None:
    assert parse_admin_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("unix:", "has no path"),
        ("unix:/a\0b", "has no path"),
        ("unix:/" + "x" * 107, "longer than 107 bytes"),
        ("unix:/" + "\u00e4" * 54, "longer than 107 bytes"),
        ("0.0.0.0:8001", "other machines"),
        ("[::]:8001", "other machines"),
        ("192.0.2.1:8001", "other machines"),
        ("example.org:8001", "other machines"),
        ("127.0.0.1:65536", "from 0 to 65535"),
        ("127.0.0.1", "unix:PATH or 127.0.0.1:PORT"),
        ("8001", "unix:PATH or 127.0.0.1:PORT"),
        ("http://127.0.0.1:8001", "unix:PATH or 127.0.0.1:PORT"),
        ("127.0.0.1:8001\n", "unix:PATH or 127.0.0.1:PORT"),
        ("::1:8001", "unix:PATH or 127.0.0.1:PORT"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidSettings, match=reason):
        parse_admin_address(text)


@given(st.text() | st.from_regex(r"\A(unix:|127\.0\.0\.1:|\[::1\]:)?[^:]*\Z"))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_admin_address(text)
    except InvalidSettings:
        return
    assert parse_admin_address(str(address)) == address
