"""The histogram of the OpenTelemetry conventions for MCP."""

from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.apps import Served, serving
from tests.support.mcp import handshake, modern, post

NAME = "mcp_server_operation_duration_seconds"
CORE = "mcp://resources/sdlc/core"
CONVENTION_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Bounds that the convention asks for (mcp.server.operation.duration, ExplicitBucketBoundaries)."""


async def counts(served: Served) -> dict[frozenset[tuple[str, str]], float]:
    """Return how often each kind of message was answered, those that never were left out."""
    return {
        frozenset((name.removeprefix("mcp_"), value) for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(await served.metrics())
        for sample in family.samples
        if sample.name == f"{NAME}_count" and sample.value
    }


def kind(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


async def test_messages_of_both_eras_are_counted_by_method(served: Served) -> None:
    await modern(served, "resources/read", uri=CORE)
    await modern(served, "resources/read", uri=CORE)
    await handshake(served, "resources/read", uri=CORE)
    await handshake(served, "resources/list")
    await modern(served, "server/discover")
    assert await counts(served) == {
        kind(method_name="resources/read"): 3,
        kind(method_name="resources/list"): 1,
        kind(method_name="server/discover"): 1,
    }


async def test_an_error_is_told_by_its_code(served: Served) -> None:
    await modern(served, "resources/read", uri="mcp://resources/none")
    await handshake(served, "resources/read", uri="mcp://resources/none")

    def failed(code: str) -> frozenset[tuple[str, str]]:
        return kind(method_name="resources/read", error_type=code, rpc_response_status_code=code)

    assert await counts(served) == {failed("-32602"): 1, failed("-32002"): 1}


async def test_calls_of_a_tool_name_it_and_its_error(served: Served) -> None:
    def call(name: str, **arguments: str) -> Any:
        return handshake(served, "tools/call", name=name, arguments=arguments)

    await call("read", uri=CORE)
    await call("read", uri="mcp://resources/none")
    await call("invented")
    tool = {"method_name": "tools/call", "gen_ai_tool_name": "read", "gen_ai_operation_name": "execute_tool"}
    assert await counts(served) == {
        kind(**tool): 1,
        kind(**tool, error_type="tool_error"): 1,
        kind(method_name="tools/call", error_type="-32602", rpc_response_status_code="-32602"): 1,
    }


async def test_what_is_unknown_or_unreadable_is_of_one_method(served: Served) -> None:
    await handshake(served, "invented/method")
    await post(served, b"{", mcp_protocol_version="2025-11-25")
    await post(served, {"jsonrpc": "2.0", "method": "notifications/invented"})

    def other(code: str) -> frozenset[tuple[str, str]]:
        return kind(method_name="_OTHER", error_type=code, rpc_response_status_code=code)

    assert await counts(served) == {other("-32601"): 1, other("-32700"): 1, kind(method_name="_OTHER"): 1}


async def test_notifications_and_every_message_of_a_batch_are_counted(served: Served) -> None:
    await post(served, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    noted = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    await post(served, [ping, ping, noted], mcp_protocol_version="2025-03-26")
    await post(served, [noted], mcp_protocol_version="2025-03-26")
    assert await counts(served) == {
        kind(method_name="notifications/initialized"): 1,
        kind(method_name="ping"): 2,
        kind(method_name="notifications/cancelled"): 2,
    }


async def test_the_bounds_of_the_convention_are_among_the_buckets(served: Served) -> None:
    families = {family.name: family for family in text_string_to_metric_families(await served.metrics())}
    bounds = {float(sample.labels["le"]) for sample in families[NAME].samples if "le" in sample.labels}
    assert set(CONVENTION_S) < bounds
    assert sum(bound < 0.01 for bound in bounds) >= 4


async def test_every_method_is_there_before_it_is_called(library: Path) -> None:
    async with serving(library) as served:
        families = {family.name: family for family in text_string_to_metric_families(await served.metrics())}
    labels = [sample.labels for sample in families[NAME].samples if sample.name == f"{NAME}_count"]
    assert {"initialize", "resources/read", "tools/call", "subscriptions/listen", "_OTHER"} <= {
        each["mcp_method_name"] for each in labels
    }
    assert {"search", "read", "outline", "list"} <= {each.get("gen_ai_tool_name") for each in labels}
