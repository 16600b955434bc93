import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.mcp.notification_messages import acknowledged, cancelled, completed, list_changed, updated
from tests.support import streams

IDS = st.one_of(st.integers(-(2**53), 2**53), st.text(st.characters(codec="utf-8"), max_size=20))


def raw(id_: Any) -> bytes | None:
    return None if id_ is None else json.dumps(id_).encode()


@given(uri=st.text(st.characters(codec="utf-8")), id_=st.none() | IDS)
def test_a_change_is_told_by_the_uri_and_the_id_of_the_subscription(uri: str, id_: Any) -> None:
    assert json.loads(updated(uri, raw(id_))) == streams.updated(uri, id_)


@pytest.mark.parametrize("id_", [None, 7, "7"])
def test_a_changed_listing_is_told(id_: Any) -> None:
    assert json.loads(list_changed(raw(id_))) == streams.list_changed(id_)


@given(id_=IDS)
def test_the_type_of_the_id_is_kept(id_: Any) -> None:
    spelled = json.dumps(id_).encode()
    meta = {streams.SUBSCRIPTION_ID: id_}
    assert json.loads(acknowledged({"resourcesListChanged": True}, spelled))["params"] == {
        "_meta": meta,
        "notifications": {"resourcesListChanged": True},
    }
    assert json.loads(completed(spelled)) == {
        "jsonrpc": "2.0",
        "id": id_,
        "result": {"resultType": "complete", "_meta": meta},
    }
    assert json.loads(cancelled(spelled))["params"] == {"requestId": id_}
