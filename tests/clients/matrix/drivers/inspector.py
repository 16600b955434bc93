"""The Inspector's command line: one process for each request."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.matrix.drivers.telling import Absent, perform, run
from tests.support.node import run_tool

ERAS = {"modern": "auto", "handshake": "legacy"}

AT_ONCE = 2
"""Processes: starting Node is most of what each does."""


class Driver:
    def __init__(self, plan: dict[str, Any]) -> None:
        self._asks = plan["asks"]
        stdio = plan["stdio"]
        era = ["--protocol-era", ERAS[plan["era"]]]
        self._before = (
            [plan["url"], "--transport", "http", *era] if plan["url"] else ["--cwd", stdio["cwd"], *era]
        )
        self._behind = [] if plan["url"] else ["--", stdio["command"], *stdio["args"]]
        self._variables = [] if plan["url"] else [f"{key}={value}" for key, value in stdio["env"].items()]
        self._home = Path(plan["home"])
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def connect(self) -> Any:
        initialized = await self._ask("initialize")
        version = await asyncio.to_thread(run_tool, "mcp-inspector", ["--version"], self._home)
        return {"revision": initialized["protocolVersion"], "version": version.stdout.strip()}

    async def list(self) -> Any:
        listed, templates = await asyncio.gather(
            self._ask("resources/list"), self._ask("resources/templates/list")
        )
        return {"resources": listed["resources"], "templates": templates}

    async def read(self) -> Any:
        return await asyncio.gather(
            *(self._ask("resources/read", "--uri", uri) for uri in self._asks["read"])
        )

    async def errors(self) -> Any:
        done = await self._run("resources/read", "--uri", self._asks["missing"])
        assert done.returncode != 0, done.stdout
        return {"error": json.loads(done.stderr.splitlines()[-1])["error"]["message"]}

    async def complete(self) -> Any:
        return await self._see_that_it_cannot("completion/complete")

    async def prompts(self) -> Any:
        asked = self._asks["prompts"]
        arguments = [f"{name}={value}" for name, value in asked["arguments"].items()]
        listed, filled = await asyncio.gather(
            self._ask("prompts/list"),
            self._ask("prompts/get", "--prompt-name", asked["name"], "--prompt-args", *arguments),
        )
        return {"listed": listed, "filled": filled}

    async def search(self) -> Any:
        tools, found = await asyncio.gather(
            self._ask("tools/list"), self._call("search", self._asks["search"])
        )
        read = await self._call("read", {"uri": found["structuredContent"]["results"][0]["uri"]})
        return {"tools": tools, "found": found, "read": read}

    async def subscribe(self) -> Any:
        return await self._see_that_it_cannot("resources/subscribe")

    async def _call(self, name: str, arguments: dict[str, Any]) -> Any:
        return await self._ask("tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))

    async def _ask(self, method: str, *arguments: str) -> Any:
        done = await self._run(method, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["result"]

    async def _see_that_it_cannot(self, method: str) -> Any:
        done = await self._run(method)
        told = f"Unsupported method: {method}."
        assert told in done.stderr, done.stdout + done.stderr
        raise Absent(told)

    async def _run(self, method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        told = ["--method", method, *arguments, "--format", "json"]
        settings = [word for variable in self._variables for word in ("-e", variable)]
        command = ["--cli", *self._before, *settings, *told, *self._behind]
        async with self._slots:
            return await asyncio.to_thread(run_tool, "mcp-inspector", command, self._home)


async def main(plan: dict[str, Any]) -> None:
    await perform(Driver(plan), plan)


if __name__ == "__main__":
    run(main)
