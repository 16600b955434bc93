import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import (
    Era,
    HeaderMismatch,
    InvalidRequest,
    MetaMissing,
    ResourceNotFound,
    UnsupportedVersion,
)
from choirbook.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION, Malformed, Message, decode
from choirbook.mcp.protocol import (
    Call,
    Fault,
    accept_piped,
    accept_posted,
    error_reply,
    handshake_revision,
    is_modern_header,
    refuse,
    reply,
)
from choirbook.mcp.revisions import HANDSHAKE, MODERN, SERVED

NOW = MODERN[0]
URI = "mcp://resources/sdlc/core"
META: dict[str, object] = {PROTOCOL_VERSION: NOW, CLIENT_CAPABILITIES: {}}


def message(
    method: str = "resources/read", meta: dict[str, object] | None = None, **changed: object
) -> Message:
    params: dict[str, object] = {"uri": URI}
    if meta is not None:
        params["_meta"] = meta
    value = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params, **changed}
    found = decode(json.dumps({key: each for key, each in value.items() if each is not None}).encode())
    assert isinstance(found, Message)
    return found


Sent = str | list[str] | None


class Posted(dict[str, list[str]]):
    """Headers of a POST: all values of each, by name in lower case."""

    def get_all(self, name: str) -> list[str]:
        return self.get(name, [])


def routing(version: Sent = NOW, method: Sent = "resources/read", name: Sent = URI) -> Posted:
    """Make headers; None is no header, a list is several."""
    sent = {"mcp-protocol-version": version, "mcp-method": method, "mcp-name": name}
    return Posted(
        {key: [each] if isinstance(each, str) else each for key, each in sent.items() if each is not None}
    )


NONE = routing(None, None, None)


def error_of(outcome: Call | Fault) -> type[Exception]:
    assert isinstance(outcome, Fault), outcome
    return type(outcome.error)


def test_a_request_with_everything_is_a_modern_call() -> None:
    sent, headers = message(meta=META), routing()
    assert accept_posted(sent, headers) == Call(
        b"7", "resources/read", sent.params, Era.MODERN, sent.source, None, headers
    )


@pytest.mark.parametrize("version", [None, *HANDSHAKE])
def test_a_request_without_a_claim_is_of_the_handshake_era(version: str | None) -> None:
    outcome = accept_posted(message(), routing(version, None, None))
    assert isinstance(outcome, Call)
    assert outcome.era is Era.HANDSHAKE


@pytest.mark.parametrize(
    "version", [NOW, "1999-01-01", "", [HANDSHAKE[0], HANDSHAKE[0]], [NOW, HANDSHAKE[0]]]
)
def test_without_a_claim_another_version_header_asks_for_the_meta(version: Sent) -> None:
    outcome = accept_posted(message(), routing(version))
    assert error_of(outcome) is MetaMissing
    assert isinstance(outcome, Fault)
    assert (outcome.era, outcome.id) == (Era.MODERN, b"7")


def test_a_claim_makes_even_initialize_modern() -> None:
    outcome = accept_posted(message("initialize", META), routing(method="initialize", name=None))
    assert isinstance(outcome, Call)
    assert outcome.era is Era.MODERN


def test_capabilities_must_be_declared() -> None:
    meta: dict[str, object] = {PROTOCOL_VERSION: NOW}
    assert error_of(accept_posted(message(meta=meta), routing())) is MetaMissing
    assert error_of(accept_piped(message(meta=meta))) is MetaMissing


MISMATCHES = {
    "no version": routing(version=None),
    "another version": routing(version="2025-11-25"),
    "the version twice": routing(version=[NOW, NOW]),
    "no method": routing(method=None),
    "another method": routing(method="resources/list"),
    "a method in other letters": routing(method="Resources/Read"),
    "the method twice": routing(method=["resources/read", "resources/read"]),
    "no name": routing(name=None),
    "another name": routing(name="mcp://resources/other"),
    "the name in other letters": routing(name=URI.upper()),
    "the name twice": routing(name=[URI, URI]),
    "malformed base64": routing(name="=?base64?!!!?="),
    "base64 without its end": routing(name="=?base64?" + base64.b64encode(URI.encode()).decode()),
    "base64 of another name": routing(name="=?base64?" + base64.b64encode(b"mcp://x").decode() + "?="),
    "base64 that is not UTF-8": routing(name="=?base64?" + base64.b64encode(b"\xff").decode() + "?="),
}


@pytest.mark.parametrize("headers", MISMATCHES.values(), ids=MISMATCHES.keys())
def test_headers_differ_from_the_body_that_have(headers: Posted) -> None:
    assert error_of(accept_posted(message(meta=META), headers)) is HeaderMismatch


@pytest.mark.parametrize(
    "name", [f" {URI} ", f"\t{URI}", "=?base64?" + base64.b64encode(URI.encode()).decode() + "?="]
)
def test_blanks_and_base64_are_taken_off_a_name(name: str) -> None:
    assert isinstance(accept_posted(message(meta=META), routing(name=name)), Call)


@given(st.text())
def test_any_name_can_be_sent_in_base64(name: str) -> None:
    try:
        found = decode(
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "id": 7,
                    "method": "resources/read",
                    "params": {"uri": name, "_meta": META},
                }
            ).encode()
        )
        encoded = base64.b64encode(name.encode()).decode()
    except UnicodeEncodeError:
        return
    if isinstance(found, Malformed):
        return
    assert isinstance(found, Message)
    assert isinstance(accept_posted(found, routing(name=f"=?base64?{encoded}?=")), Call)


def test_a_request_without_its_parameter_is_left_to_the_method() -> None:
    assert isinstance(accept_posted(message(meta=META, params={"_meta": META}), routing(name=None)), Call)


@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
def test_other_named_methods_have_their_name_checked(method: str) -> None:
    params = {"name": "x", "_meta": META}
    assert (
        error_of(accept_posted(message(method, params=params), routing(method=method, name="y")))
        is HeaderMismatch
    )
    assert isinstance(accept_posted(message(method, params=params), routing(method=method, name="x")), Call)


def test_methods_without_a_name_need_no_name_header() -> None:
    assert isinstance(
        accept_posted(message("resources/list", META), routing(method="resources/list", name=None)), Call
    )


def test_a_notification_needs_the_version_header_only() -> None:
    told = message("notifications/cancelled", META, id=None)
    assert isinstance(accept_posted(told, routing(method=None, name=None)), Call)
    assert error_of(accept_posted(told, routing(None, None, None))) is HeaderMismatch


@pytest.mark.parametrize("version", ["2025-11-25", "2099-01-01", ""])
def test_a_version_that_is_not_served_is_told_with_those_that_are(version: str) -> None:
    meta: dict[str, object] = {PROTOCOL_VERSION: version, CLIENT_CAPABILITIES: {}}
    for outcome in (
        accept_posted(message(meta=meta), routing(version=version)),
        accept_piped(message(meta=meta)),
    ):
        assert error_of(outcome) is UnsupportedVersion
        assert isinstance(outcome, Fault)
        assert outcome.error.data == {"supported": list(SERVED), "requested": version}


def test_the_checks_have_their_order() -> None:
    """First the meta, then the headers against it, then the version."""
    old: dict[str, object] = {PROTOCOL_VERSION: "2099-01-01"}
    assert error_of(accept_posted(message(meta=old), NONE)) is MetaMissing
    old[CLIENT_CAPABILITIES] = {}
    assert error_of(accept_posted(message(meta=old), NONE)) is HeaderMismatch


def test_pipes_have_no_headers() -> None:
    assert accept_piped(message()) == Call(
        b"7", "resources/read", message().params, Era.HANDSHAKE, message().source
    )
    outcome = accept_piped(message(meta=META))
    assert isinstance(outcome, Call)
    assert outcome.era is Era.MODERN


def test_to_discover_is_modern_even_without_a_claim() -> None:
    outcome = accept_piped(message("server/discover"))
    assert error_of(outcome) is MetaMissing


@pytest.mark.parametrize(
    ("claims", "version", "era"),
    [
        (True, [], Era.MODERN),
        (True, [HANDSHAKE[0]], Era.MODERN),
        (False, [], Era.HANDSHAKE),
        (False, [f" {HANDSHAKE[0]} "], Era.HANDSHAKE),
        (False, [NOW], Era.MODERN),
        (False, ["garbage"], Era.MODERN),
    ],
)
def test_a_malformed_message_is_refused_in_the_era_it_seems_to_be_of(
    claims: bool,  # noqa: FBT001
    version: list[str],
    era: Era,
) -> None:
    error = InvalidRequest("No.")
    assert refuse(Malformed(error, b"1", claims), version) == Fault(error, era, b"1")


def test_the_era_of_a_header_is_known() -> None:
    assert is_modern_header([f" {NOW}"])
    assert is_modern_header([HANDSHAKE[0], NOW])
    assert not is_modern_header([])
    assert not is_modern_header(["garbage"])
    assert handshake_revision([]) == "2025-03-26"
    assert handshake_revision([" 2025-06-18 "]) == "2025-06-18"


@given(st.integers() | st.text())
def test_a_reply_is_json_with_the_id_of_its_request(id_: int | str) -> None:
    raw = json.dumps(id_, ensure_ascii=False).encode("utf-8", "replace")
    assert json.loads(reply(raw, b'{"a":1}')) == {"jsonrpc": "2.0", "id": json.loads(raw), "result": {"a": 1}}


def test_an_error_tells_code_message_and_data() -> None:
    error = ResourceNotFound("Resource not found: x.", {"uri": "x"})
    assert [error_reply(Fault(error, era, b"1"))[0] for era in Era] == [200, 200]
    status, body = error_reply(Fault(error, Era.HANDSHAKE, b"1"))
    assert json.loads(body) == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32002, "message": "Resource not found: x.", "data": {"uri": "x"}},
    }
    assert status == 200


@pytest.mark.parametrize("era", Era)
def test_an_id_that_is_not_known_is_left_out(era: Era) -> None:
    _, body = error_reply(Fault(InvalidRequest("No."), era))
    document = json.loads(body)
    assert "id" not in document
    assert document["error"] == {"code": -32600, "message": "No."}
