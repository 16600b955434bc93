"""Calls of tools, checked against what the tools say of themselves."""

from typing import Any

from jsonschema import Draft202012Validator

from tests.support.apps import Served
from tests.support.mcp import error, result


async def tools(served: Served, era: str) -> dict[str, dict[str, Any]]:
    """Return the tools by name."""
    return {each["name"]: each for each in (await result(served, era, "tools/list"))["tools"]}


async def call_tool(served: Served, era: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    """Call a tool that has to succeed; its result has to be of its schema."""
    found = await result(served, era, "tools/call", name=name, arguments=arguments)
    assert "isError" not in found, found["content"]
    schema = (await tools(served, era))[name]["outputSchema"]
    Draft202012Validator(schema).validate(found["structuredContent"])
    return found


async def text_of(served: Served, era: str, name: str, /, **arguments: Any) -> str:
    """Call a tool and return its text."""
    return str((await call_tool(served, era, name, **arguments))["content"][0]["text"])


async def failure(served: Served, era: str, name: str, /, **arguments: Any) -> str:
    """Call a tool that has to fail, and return what the model is told."""
    return told_of(await result(served, era, "tools/call", name=name, arguments=arguments))


def told_of(found: dict[str, Any]) -> str:
    """Return what the model is told by the result of a call that failed."""
    assert found["isError"] is True
    assert "structuredContent" not in found
    (item,) = found["content"]
    return str(item["text"])


async def refusal(served: Served, era: str, **params: Any) -> str:
    """Make a call that breaks the form of a request, and return the message."""
    failed = await error(served, era, "tools/call", **params)
    assert failed["code"] == -32602
    return str(failed["message"])
