import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.observe.tracing.context import TraceContext, context_of_message, parse_context

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GIVEN = TraceContext(int(TRACE_ID, 16), int(SPAN_ID, 16), is_sampled=True)


def test_a_traceparent_names_the_caller() -> None:
    assert parse_context(f"00-{TRACE_ID}-{SPAN_ID}-01") == GIVEN
    assert parse_context(f" 00-{TRACE_ID}-{SPAN_ID}-01\t", "a=1") == GIVEN._replace(state="a=1")


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_only_the_lowest_flag_says_that_it_is_sampled(flags: str, is_sampled: bool) -> None:  # noqa: FBT001
    assert parse_context(f"00-{TRACE_ID}-{SPAN_ID}-{flags}") == GIVEN._replace(is_sampled=is_sampled)


def test_a_later_version_may_say_more() -> None:
    assert parse_context(f"cc-{TRACE_ID}-{SPAN_ID}-01-what-comes") == GIVEN
    assert parse_context(f"cc-{TRACE_ID}-{SPAN_ID}-01.what-comes") is None


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f"00-{TRACE_ID}-{SPAN_ID}-\u0660\u0661",
    ],
)
def test_a_malformed_traceparent_names_nobody(traceparent: str) -> None:
    assert parse_context(traceparent) is None


def test_a_tracestate_that_is_too_long_is_left_out() -> None:
    assert parse_context(f"00-{TRACE_ID}-{SPAN_ID}-01", "a=" + "1" * 512) == GIVEN


@given(
    trace_id=st.integers(1, 2**128 - 1),
    span_id=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 255),
    version=st.integers(0, 254),
)
def test_every_context_that_is_written_is_read(trace_id: int, span_id: int, flags: int, version: int) -> None:
    written = f"{version:02x}-{trace_id:032x}-{span_id:016x}-{flags:02x}"
    assert parse_context(written) == TraceContext(trace_id, span_id, bool(flags & 1))


@given(st.text())
def test_any_text_is_a_context_or_none(text: str) -> None:
    parse_context(text, text)


def test_a_message_has_its_context_in_its_meta() -> None:
    meta = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01", "tracestate": "a=1", "baggage": "b=2"}
    source = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": meta}})
    assert context_of_message(source) == GIVEN._replace(state="a=1")
    assert context_of_message(b"[" + source + b"]") is None


@given(json_values)
def test_whatever_the_members_are_a_message_has_a_context_or_none(value: object) -> None:
    for params in (value, {"_meta": value}, {"_meta": {"traceparent": value, "tracestate": value}}):
        context_of_message(msgspec.json.encode({"params": params}))


@given(st.binary())
def test_any_bytes_have_a_context_or_none(source: bytes) -> None:
    context_of_message(source)
