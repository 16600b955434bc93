import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.http.request_ids import RequestIds, fields_of, request_id_of, trace_id_of
from choirbook.servers.asgi.server import AsgiHeaders

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def headers(**named: str) -> AsgiHeaders:
    return AsgiHeaders([(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()])


@pytest.mark.parametrize(
    "id_", ["a", "7f3d-42", "x" * 128, "Root=1-67891233-abcdef012345678912345678", "a+b/c=="]
)
def test_the_id_of_a_proxy_is_taken_over(id_: str) -> None:
    assert request_id_of(headers(x_request_id=id_)) == id_


@pytest.mark.parametrize("id_", ["", "x" * 129, "two words", 'a"b', "a\x1b[2J", "a\n", "naïve", "<b>"])
def test_a_malformed_id_is_none(id_: str) -> None:
    assert request_id_of(headers(x_request_id=id_)) is None


def test_without_an_id_there_is_none() -> None:
    assert request_id_of(headers()) is None
    assert trace_id_of(headers()) is None
    assert fields_of(headers()) == {}


@pytest.mark.parametrize("version", ["00", "01", "fe"])
def test_the_trace_of_a_request_is_known(version: str) -> None:
    parent = f"{version}-{TRACE}-00f067aa0ba902b7-01"
    assert trace_id_of(headers(traceparent=parent)) == TRACE
    assert fields_of(headers(traceparent=parent, x_request_id="7")) == {"request_id": "7", "trace_id": TRACE}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        TRACE,
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-1",
        f"00-{TRACE}-00f067aa0ba902b7-012",
        f" 00-{TRACE}-00f067aa0ba902b7-01",
    ],
)
def test_a_malformed_traceparent_is_no_trace(parent: str) -> None:
    assert trace_id_of(headers(traceparent=parent)) is None


@given(st.text())
def test_whatever_is_sent_only_a_plain_id_is_taken_over(text: str) -> None:
    found = request_id_of(AsgiHeaders([(b"x-request-id", text.encode("utf-8", "replace"))]))
    assert found is None or (found.isascii() and found.isprintable() and " " not in found)


def test_no_two_made_ids_are_alike() -> None:
    one, other = RequestIds(), RequestIds()
    made = [ids.make() for ids in (one, other) for _ in range(1000)]
    assert len(set(made)) == len(made)
    assert request_id_of(headers(x_request_id=made[0])) == made[0]
