import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.mcp.client_info import MAX_CHARACTERS, ClientInfo, client_info_of
from choirbook.mcp.messages import CLIENT_INFO

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "version"]), inner)
)
INFO = {"name": "claude-code", "version": "2.1", "title": "Claude"}


def sent(**params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": params}).encode()


def test_a_client_of_each_era_is_known_by_what_it_says() -> None:
    assert client_info_of(sent(clientInfo=INFO)) == ClientInfo("claude-code", "2.1")
    assert client_info_of(sent(_meta={CLIENT_INFO: INFO}, uri="x")) == ClientInfo("claude-code", "2.1")


def test_what_the_request_itself_says_comes_first() -> None:
    both = sent(clientInfo={"name": "first"}, _meta={CLIENT_INFO: {"name": "now"}})
    assert client_info_of(both) == ClientInfo("now", "")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"params":[]}',
        sent(),
        sent(_meta={}),
        sent(_meta={CLIENT_INFO: None}),
        sent(_meta={CLIENT_INFO: "name"}),
        sent(_meta={CLIENT_INFO: {"name": 1}}),
        sent(_meta={CLIENT_INFO: {"name": ""}}),
        sent(_meta={CLIENT_INFO: {"name": "a", "version": []}}),
    ],
)
def test_what_cannot_be_understood_says_nothing(message: bytes) -> None:
    assert client_info_of(message) is None


def test_a_long_name_is_cut() -> None:
    found = client_info_of(sent(clientInfo={"name": "n" * 10_000, "version": "v" * 10_000}))
    assert found == ClientInfo("n" * MAX_CHARACTERS, "v" * MAX_CHARACTERS)


@given(VALUES)
def test_no_value_is_too_strange(value: Any) -> None:
    found = client_info_of(json.dumps({"params": {"_meta": {CLIENT_INFO: value}}}).encode())
    assert found is None or found.name
