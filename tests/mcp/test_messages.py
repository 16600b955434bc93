import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from choirbook.errors import InvalidParams, InvalidRequest, ParseFailed, RequestError
from choirbook.mcp.messages import (
    CLIENT_CAPABILITIES,
    MAX_BATCH,
    MAX_ID_CHARACTERS,
    PROTOCOL_VERSION,
    Batch,
    Malformed,
    Message,
    PostedResponse,
    decode,
    parameters,
)


def request(**changed: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "mcp://a"}, **changed}


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in request(**changed).items() if name not in names}


def decoded(value: Any) -> Any:
    return decode(json.dumps(value).encode())


def test_a_request_is_read() -> None:
    found = decoded(request())
    assert isinstance(found, Message)
    assert (found.id, found.method, found.params.uri) == (b"1", "resources/read", "mcp://a")
    assert found.params.cursor is UNSET


def test_a_notification_has_no_id() -> None:
    found = decoded(without("id", method="notifications/initialized"))
    assert isinstance(found, Message)
    assert found.id is None


def test_parameters_may_be_left_out() -> None:
    found = decoded(without("params"))
    assert isinstance(found, Message)
    assert found.params.uri is UNSET


def test_the_meta_of_the_modern_era_is_read() -> None:
    meta = {PROTOCOL_VERSION: "2026-07-28", CLIENT_CAPABILITIES: {"roots": {}}, "traceparent": "x"}
    found = decoded(request(params={"_meta": meta}))
    assert isinstance(found, Message)
    assert found.params.meta is not UNSET
    assert found.params.meta.protocol_version == "2026-07-28"
    assert found.params.meta.client_capabilities is not UNSET


@pytest.mark.parametrize(
    ("id_", "raw"),
    [
        (1, b"1"),
        (-5, b"-5"),
        (0, b"0"),
        ("a", b'"a"'),
        ("", b'""'),
        ("ä", '"ä"'.encode()),
        ('a"b', b'"a\\"b"'),
        ("a\nb", b'"a\\nb"'),
        ("x" * (MAX_ID_CHARACTERS - 2), b'"' + b"x" * (MAX_ID_CHARACTERS - 2) + b'"'),
        (10**100, str(10**100).encode()),
    ],
)
def test_an_id_is_kept_as_json(id_: object, raw: bytes) -> None:
    found = decode(json.dumps(request(id=id_), ensure_ascii=False).encode())
    assert isinstance(found, Message)
    assert found.id == raw


@pytest.mark.parametrize(
    "id_", [None, True, False, 1.5, [], {}, "x" * MAX_ID_CHARACTERS, 10**MAX_ID_CHARACTERS, [1], {"a": 1}]
)
def test_another_id_is_refused_and_not_echoed(id_: object) -> None:
    found = decoded(request(id=id_))
    assert isinstance(found, Malformed)
    assert isinstance(found.error, InvalidRequest)
    assert found.id is None


@pytest.mark.parametrize(
    "response", [{"result": {}}, {"result": None}, {"error": {"code": 1, "message": "x"}}]
)
def test_a_posted_response_is_known(response: dict[str, Any]) -> None:
    assert decoded({"jsonrpc": "2.0", "id": 1, **response}) == PostedResponse()


ENVELOPES: dict[str, Any] = {
    "a string": "ping",
    "a number": 1,
    "null": None,
    "an empty object": {},
    "no version": without("jsonrpc"),
    "another version": request(jsonrpc="1.0"),
    "a version that is a number": request(jsonrpc=2.0),
    "no method": without("method", "params"),
    "a method that is a number": request(method=1),
    "a method that is null": request(method=None),
    "a method and a result": request(result={}),
    "a method and an error": request(error={}),
    "a response without an id": {"jsonrpc": "2.0", "result": {}},
    "parameters that are a list": request(params=[]),
    "parameters that are null": request(params=None),
    "parameters that are a string": request(params="x"),
    "an empty batch": [],
    "a batch that is too long": [request()] * (MAX_BATCH + 1),
}


@pytest.mark.parametrize("value", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_envelope_is_refused_that_is_or_has(value: Any) -> None:
    found = decoded(value)
    assert isinstance(found, Malformed)
    assert type(found.error) is InvalidRequest


PARAMETERS: dict[str, dict[str, Any]] = {
    "a uri that is a number": {"uri": 1},
    "a uri that is null": {"uri": None},
    "a cursor that is a number": {"cursor": 1},
    "a meta that is a list": {"_meta": []},
    "a meta that is null": {"_meta": None},
    "a protocol version that is a number": {"_meta": {PROTOCOL_VERSION: 1}},
    "capabilities that are a list": {"_meta": {CLIENT_CAPABILITIES: []}},
}


@pytest.mark.parametrize("params", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_parameters_are_refused_that_have(params: dict[str, Any]) -> None:
    found = decoded(request(params=params))
    assert isinstance(found, Malformed)
    assert type(found.error) is InvalidParams
    assert (found.id, found.method) == (b"1", "resources/read")
    assert found.claims_modern is (PROTOCOL_VERSION in (params.get("_meta") or {}))


def test_as_much_as_can_be_read_is_told() -> None:
    found = decoded(request(jsonrpc="1.0", params={"_meta": {PROTOCOL_VERSION: "2026-07-28"}}))
    assert isinstance(found, Malformed)
    assert (found.id, found.method, found.claims_modern) == (b"1", "resources/read", True)


BODIES = {
    "nothing": b"",
    "blanks": b" \n",
    "half a message": json.dumps(request()).encode()[:-1],
    "two messages": json.dumps(request()).encode() * 2,
    "a message and a comma": json.dumps(request()).encode() + b",",
    "words": b"GET / HTTP/1.1",
    "bytes that are not UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
    "bytes that are not UTF-8 where nobody looks": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xff"}',
    "UTF-16": json.dumps(request()).encode("utf-16"),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + json.dumps(request()).encode(),
    "a byte order mark in the middle": json.dumps(request()).encode().replace(b",", b",\xef\xbb\xbf"),
    "a lone surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "a key without quotes": b"{jsonrpc:2}",
    "not a number": b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep in a message": b'{"jsonrpc":"2.0","id":1,"method":"ping","x":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
}


def test_a_byte_order_mark_before_a_message_is_skipped() -> None:
    plain = json.dumps(request()).encode()
    assert decode(b"\xef\xbb\xbf" + plain) == decode(plain)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_is_not_read_that_is_or_has(body: bytes) -> None:
    found = decode(body)
    assert isinstance(found, Malformed)
    assert type(found.error) is ParseFailed
    assert found.id is None


def test_brackets_in_strings_do_not_nest() -> None:
    found = decoded(request(params={"uri": '[{"\\' * 200}))
    assert isinstance(found, Message)


def test_what_is_nested_as_deep_as_no_protocol_asks_for_is_read() -> None:
    inner: Any = []
    for _ in range(100):
        inner = [inner]
    assert isinstance(decoded(request(x=inner)), Message)


def test_a_batch_is_read_item_by_item() -> None:
    found = decoded([request(), without("id"), {"jsonrpc": "2.0", "id": 2, "result": {}}, 5, []])
    assert isinstance(found, Batch)
    assert [type(item) for item in found.items] == [Message, Message, PostedResponse, Malformed, Malformed]
    assert isinstance(decoded([request()] * MAX_BATCH), Batch)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
metas = st.dictionaries(
    st.sampled_from([PROTOCOL_VERSION, CLIENT_CAPABILITIES, "traceparent"]),
    st.sampled_from(["2026-07-28", {}, {"roots": {}}]) | json_values,
)
params = st.dictionaries(
    st.sampled_from(["uri", "cursor", "name", "protocolVersion", "requestId", "other"]),
    st.text() | json_values,
)
all_params = st.tuples(params, st.one_of(st.none(), metas, json_values)).map(
    lambda pair: pair[0] if pair[1] is None else {**pair[0], "_meta": pair[1]}
)
likely = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(["ping", "resources/read"]) | st.text()},
    optional={
        "id": st.integers() | st.text() | json_values,
        "params": all_params | json_values,
        "result": json_values,
        "error": json_values,
        "other": json_values,
    },
)
messages = st.one_of(likely, json_values, st.lists(likely, max_size=3))
spellings: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}]
)


def spelled(value: Any, spelling: dict[str, Any]) -> bytes:
    return json.dumps(value, **spelling).encode("utf-8", "surrogatepass")


def essence(found: Any) -> Any:
    """Return what is to be compared of a decoded value."""
    if isinstance(found, Message):
        return ("message", None if found.id is None else json.loads(found.id), found.method, found.params)
    if isinstance(found, Malformed):
        return ("malformed", type(found.error), found.id, found.claims_modern, found.method)
    return found


@given(messages, spellings)
@example(request(id=-0.0), {})
@example(request(id="\x7f"), {})
@example(request(id="a\\u0041"), {})
def test_the_fast_path_and_the_slow_examination_agree(value: Any, spelling: dict[str, Any]) -> None:
    """Only the slow one reads the items of a batch, so a batch of one message shows what it thinks of it."""
    body = spelled(value, spelling)
    alone = decode(body)
    if isinstance(alone, Malformed | PostedResponse | Message) and not isinstance(value, list):
        batch = decode(b"[" + body + b"]")
        if isinstance(batch, Malformed):
            assert isinstance(alone, Malformed)
            return
        assert isinstance(batch, Batch)
        assert essence(alone) == essence(batch.items[0])


@given(
    st.one_of(
        st.binary(), st.text().map(str.encode), st.tuples(messages, spellings).map(lambda p: spelled(*p))
    )
)
@example(b'{"jsonrpc":"2.0","id":1e5,"method":"ping"}')
def test_any_bytes_are_decoded_to_something(body: bytes) -> None:
    found = decode(body)
    assert isinstance(found, Message | PostedResponse | Malformed | Batch)
    if isinstance(found, Malformed):
        assert isinstance(found.error, RequestError)
        assert found.error.message


@given(likely, st.integers(0, 400), st.binary(max_size=3))
def test_a_damaged_message_is_decoded_to_something(value: dict[str, Any], at: int, noise: bytes) -> None:
    body = spelled(value, {})
    assert decode(body[:at] + noise + body[at + len(noise) :]) is not None


@given(likely)
def test_an_id_that_is_echoed_is_the_one_that_was_sent(value: dict[str, Any]) -> None:
    found = decode(spelled(value, {}))
    if isinstance(found, Message | Malformed) and found.id is not None:
        assert len(found.id) <= MAX_ID_CHARACTERS
        assert json.loads(found.id) == value["id"]
        assert re.fullmatch(rb'-?\d+|".*"', found.id, re.DOTALL)
        assert msgspec.json.decode(found.id) == value["id"]


class Argument(msgspec.Struct):
    """Parameters as a method could want them."""

    argument: str
    limit: int = 10


@pytest.mark.parametrize("in_a_batch", [False, True])
def test_a_method_reads_its_own_parameters_of_the_message(*, in_a_batch: bool) -> None:
    body = request(method="some/method", params={"argument": "ä", "other": {"deep": [1]}})
    found = decoded([body]) if in_a_batch else decoded(body)
    message = found.items[0] if in_a_batch else found
    assert parameters(message.source, Argument) == Argument("ä")


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"argument": 1}, "Expected `str`, got `int` - at `$.argument`"),
        ({}, "missing required field `argument`"),
        ({"argument": "", "limit": "x"}, "`$.limit`"),
    ],
)
def test_parameters_that_do_not_fit_are_told(params: dict[str, Any], complaint: str) -> None:
    message = decoded(request(method="some/method", params=params))
    with pytest.raises(InvalidParams, match=re.escape(complaint)):
        parameters(message.source, Argument)


def test_a_message_without_parameters_has_none_to_read() -> None:
    with pytest.raises(InvalidParams, match="argument"):
        parameters(decoded(without("params")).source, Argument)
