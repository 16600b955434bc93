from base64 import b64encode
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import HeaderMismatch
from choirbook.mcp.tools.mirrored_headers import Mirror, check_mirrors, mirrors_of

REGION = Mirror("region", "Mcp-Param-Region")
NAME = "mcp-param-region"


class Sent:
    """Headers as a server hands them over."""

    def __init__(self, *values: str) -> None:
        self._headers = httpx.Headers([(NAME, value) for value in values], encoding="latin-1")

    def get(self, name: str, default: Any = None) -> Any:
        return self._headers.get(name, default)

    def get_all(self, name: str) -> list[str]:
        return self._headers.get_list(name)

    def __contains__(self, name: object) -> bool:
        return name in self._headers


def schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def base64(text: str) -> str:
    return f"=?base64?{b64encode(text.encode()).decode()}?="


def test_only_arguments_that_ask_for_it_have_a_header() -> None:
    region = {"type": "string", "x-mcp-header": "Region"}
    assert mirrors_of(schema(region=region, query={"type": "string"})) == (REGION,)


@pytest.mark.parametrize(
    "properties",
    [
        {"region": {"type": "string", "x-mcp-header": ""}},
        {"region": {"type": "string", "x-mcp-header": "The Region"}},
        {"region": {"type": "string", "x-mcp-header": "Region\n"}},
        {"region": {"type": "number", "x-mcp-header": "Region"}},
        {"region": {"type": "object", "x-mcp-header": "Region"}},
        {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "area": {"type": "string", "x-mcp-header": "REGION"},
        },
    ],
)
def test_a_definition_that_clients_would_leave_out_is_refused(properties: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="x-mcp-header"):
        mirrors_of(schema(**properties))


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("us-west1", "  us-west1 "),
        ("us-west1", base64("us-west1")),
        ("us\twest", "us\twest"),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
        (42, "42"),
        (42, "42.0"),
        (-7, "-7"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_a_header_that_says_what_the_argument_says_is_taken(value: Any, header: str) -> None:
    check_mirrors([REGION], {"region": value}, Sent(header))


@given(st.text())
def test_any_text_can_be_sent_in_base64(text: str) -> None:
    check_mirrors([REGION], {"region": text}, Sent(base64(text)))


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("us-west1", []),
        ("us-west1", ["us-east1"]),
        ("us-west1", ["US-WEST1"]),
        ("us-west1", ["us-west1", "us-west1"]),
        ("Hello", ["=?base64?SGVsbG8?="]),
        ("Hello", ["=?base64?SGVs!!!bG8=?="]),
        ("caf\xe9", ["caf\xe9"]),
        (42, ["43"]),
        (42, ["42.5"]),
        (True, ["True"]),
        (1, ["true"]),
        (None, ["us-west1"]),
    ],
)
def test_any_other_header_is_refused_by_name(value: Any, headers: list[str]) -> None:
    with pytest.raises(HeaderMismatch, match="Mcp-Param-Region"):
        check_mirrors([REGION], {"region": value}, Sent(*headers))


@pytest.mark.parametrize("arguments", [{}, {"region": None}])
def test_an_argument_left_out_needs_no_header(arguments: dict[str, Any]) -> None:
    check_mirrors([REGION], arguments, Sent())
