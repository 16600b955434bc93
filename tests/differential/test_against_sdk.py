"""The same request to Choirbook and to a server made with the official SDK gives the same JSON.

Where it does not, the specification decides, and the difference stands in `DEVIATIONS` with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.differential.conftest import TABLE, Pair
from tests.support.servers import ERAS, post

UNKNOWN = "mcp://resources/sdlc/cores"


OWN_META = "._meta.dev.choirbook/"
"""Choirbook's own keys, which `_meta` is there for: the SDK's server has none."""


class Deviation(NamedTuple):
    """A place in the answer where the two differ."""

    choirbook: object
    sdk: object
    reason: str


_WORDING = Deviation(
    f"Resource not found: {UNKNOWN}. Did you mean mcp://resources/sdlc/core?",
    f"Unknown resource: {UNKNOWN}",
    "the wording is free, and Choirbook's helps a person on",
)
DEVIATIONS: dict[str, dict[str, Deviation]] = {
    "handshake": {
        "error.code": Deviation(
            -32002, -32602, "the revisions up to 2025-11-25 say -32002; the SDK has one code"
        ),
        "error.message": _WORDING,
    },
    "modern": {
        "status": Deviation(200, 400, "no 400 is asked for here, and on one, clients try the older era"),
        "error.message": _WORDING,
    },
}
"""Where the answers to a read of an unknown resource differ, by era. Whatever is not here is the same."""


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Take JSON apart into its leaves and their places."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def answer(response: httpx.Response) -> dict[str, object]:
    flat = {place: value for place, value in leaves(response.json()) if OWN_META not in place}
    return {**flat, "status": response.status_code, "content-type": response.headers["content-type"]}


def differences(
    pair: Pair, era: str, method: str, params: dict[str, Any]
) -> dict[str, tuple[object, object]]:
    ours = answer(post(pair.choirbook, era, method, **params))
    theirs = answer(post(pair.sdk, era, method, **params))
    places = sorted(ours.keys() | theirs.keys())
    return {
        place: (ours.get(place), theirs.get(place))
        for place in places
        if ours.get(place) != theirs.get(place)
    }


@pytest.mark.parametrize("era", ERAS)
def test_listing_is_that_of_the_sdk(pair: Pair, era: str) -> None:
    listed = post(pair.choirbook, era, "resources/list").json()["result"]["resources"]

    assert [item["uri"] for item in listed] == [row[0] for row in TABLE]
    assert differences(pair, era, "resources/list", {}) == {}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("uri", [row[0] for row in TABLE])
def test_read_is_that_of_the_sdk(pair: Pair, era: str, uri: str) -> None:
    assert post(pair.choirbook, era, "resources/read", uri=uri).json()["result"]["contents"][0]["uri"] == uri
    assert differences(pair, era, "resources/read", {"uri": uri}) == {}


@pytest.mark.parametrize("era", ERAS)
def test_unknown_resource_differs_from_the_sdk_where_the_specification_says_so(pair: Pair, era: str) -> None:
    found = differences(pair, era, "resources/read", {"uri": UNKNOWN})

    assert found == {place: (it.choirbook, it.sdk) for place, it in DEVIATIONS[era].items()}
