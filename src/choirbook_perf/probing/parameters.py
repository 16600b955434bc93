"""Parameters of the MCP methods that tasks name. Pure."""

from __future__ import annotations

from typing import Any

from choirbook_perf.scenario import Task
from choirbook_perf.targets import CALL_TOOL


def parameters(task: Task) -> dict[str, Any]:
    """Return the parameters of a task's method."""
    if task.operation == CALL_TOOL:
        return {"name": task.tool, "arguments": task.arguments}
    if task.operation == "prompts/get":
        return {"name": task.prompt, "arguments": task.arguments}
    if task.operation == "completion/complete":
        reference = (
            {"type": "ref/prompt", "name": task.prompt}
            if task.prompt
            else {"type": "ref/resource", "uri": task.template}
        )
        return {"ref": reference, "argument": {"name": task.argument, "value": task.value}}
    return {}
