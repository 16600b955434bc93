from __future__ import annotations

import msgspec
import pytest

from choirbook_perf.ab.alike import check
from choirbook_perf.errors import BadInput
from choirbook_perf.plan import Plan, PlannedTask
from choirbook_perf.targets import Expected, Operation, Request


def plan(port: int, names: tuple[str, ...] = ("one",), length: int = 5) -> Plan:
    origin = f"http://127.0.0.1:{port}"
    operations = tuple(
        Operation(
            name=name,
            resource_type="sdlc",
            kind="http",
            address=f"/{name}",
            request=Request("GET", f"{origin}/{name}", {}),
            expected=Expected(length=length, sha256="0" * 64),
        )
        for name in names
    )
    return Plan(
        scenario="mission",
        url=origin,
        protocol="http",
        era="",
        server="",
        tasks=(PlannedTask("reads", 1, operations),),
        think_time_s=(),
        projects=("atlas",),
    )


def test_servers_that_differ_in_their_address_only_are_alike() -> None:
    check(plan(1), plan(2))


def test_what_differs_is_named() -> None:
    with pytest.raises(BadInput, match="era is '' and 'modern'"):
        check(plan(1), msgspec.structs.replace(plan(2), era="modern"))
    with pytest.raises(BadInput, match="they have 1 and 2 things to read"):
        check(plan(1), plan(2, ("one", "two")))
    with pytest.raises(BadInput, match="asked for one, the other for two"):
        check(plan(1), plan(2, ("two",)))
    with pytest.raises(BadInput, match="content of one differs, 5 and 6 bytes"):
        check(plan(1), plan(2, length=6))
