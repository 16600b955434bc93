"""The MCP Inspector's command line as a client: both transports, every era that it can be told to speak."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import run_tool
from tests.support.servers import DOCUMENTS, Server, carrel

Inspect = Callable[..., subprocess.CompletedProcess[str]]
"""Runs the Inspector: `inspect(method, *arguments)`."""


@pytest.fixture(params=["modern", "legacy", "auto"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["http", "stdio"])
def inspect(
    request: pytest.FixtureRequest, era: str, server: Server, library: Path, tmp_path: Path
) -> Inspect:
    over_http = request.param == "http"
    before = [server.mcp_url, "--transport", "http"] if over_http else []
    behind = [] if over_http else ["--", *carrel("stdio", library)]

    def inspect(method: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        told = ["--protocol-era", era, "--method", method, *arguments, "--format", "json"]
        return run_tool("mcp-inspector", ["--cli", *before, *told, *behind], tmp_path)

    return inspect


def result(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["result"]


def test_inspector_lists_every_document(inspect: Inspect) -> None:
    listed = result(inspect("resources/list"))["resources"]

    assert sorted(item["size"] for item in listed) == sorted(map(len, DOCUMENTS.values()))


def test_inspector_lists_the_templates(inspect: Inspect) -> None:
    listed = result(inspect("resources/templates/list"))["resourceTemplates"]

    assert "mcp://resources/patterns/{language}/{name}" in [item["uriTemplate"] for item in listed]


def test_inspector_reads_a_document(inspect: Inspect) -> None:
    (text,) = result(inspect("resources/read", "--uri", "mcp://resources/patterns/go/core"))["contents"]

    assert text["text"].encode() == DOCUMENTS["go/patterns-core.md"]


@pytest.mark.parametrize(("inspect", "era"), [("http", "modern"), ("http", "legacy")], indirect=True)
def test_inspector_is_told_of_a_document_that_there_is_not(inspect: Inspect) -> None:
    done = inspect("resources/read", "--uri", "mcp://resources/sdlc/kore")

    assert done.returncode != 0
    assert "Resource not found: mcp://resources/sdlc/kore" in done.stdout + done.stderr
