"""The official conformance suite, whole, at every revision that Choirbook serves.

Choirbook serves what the suite looks for beside its own (see `fixtures.py`). What Choirbook never does (ask
the client, log to it, report progress) fails there. Each such check stands in the baseline of the revision,
with its reason. A check that fails outside of it fails the test, and so does one in it that passes.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.conftest import HERE
from tests.support.node import run_tool
from tests.support.servers import Server

RESOURCES = {"resources-list", "resources-read-text", "resources-read-binary", "resources-templates-read"}
TOOLS_AND_PROMPTS = {
    "tools-list",
    "prompts-list",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
    "completion-complete",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
}
HANDSHAKE = (
    RESOURCES
    | TOOLS_AND_PROMPTS
    | {"server-initialize", "ping", "resources-subscribe", "resources-unsubscribe"}
)
SESSIONS = {"server-session-lifecycle"}
PASSED = {
    "2026-07-28": RESOURCES
    | TOOLS_AND_PROMPTS
    | {"sep-2164-resource-not-found", "dns-rebinding-protection"}
    | {"caching", "http-header-validation", "http-custom-header-server-validation"}
    | {"json-schema-2020-12", "server-stateless", "server-sse-multiple-streams"},
    "2025-11-25": HANDSHAKE
    | SESSIONS
    | {"json-schema-2020-12"}
    | {"dns-rebinding-protection", "server-sse-multiple-streams"},
    "2025-06-18": HANDSHAKE | SESSIONS,
    "2025-03-26": SESSIONS,
}
"""Scenarios that have to pass with all of their checks, by revision."""

_SUMMARY = re.compile(r"^✓ ([\w-]+): ([1-9]\d*) passed, 0 failed$", re.MULTILINE)
_ENTRY = re.compile(r"  - [\w-]+:[\w-]+ # \w.+")


def run_suite(server: Server, revision: str, selection: list[str], home: Path) -> set[str]:
    """Run scenarios against the baseline of a revision and return those that passed with all their checks."""
    baseline = HERE / f"baseline-{revision}.yml"
    arguments = [
        "--url",
        server.mcp_url,
        *selection,
        "--expected-failures",
        str(baseline),
        "-o",
        str(home / "out"),
    ]
    done = run_tool("conformance", ["server", *arguments], home)
    assert done.returncode == 0, done.stdout[done.stdout.find("=== SUMMARY") :] + done.stderr
    return {name for name, _ in _SUMMARY.findall(done.stdout)}


@pytest.mark.parametrize("revision", PASSED)
def test_all_scenarios_end_as_the_baseline_says(server: Server, tmp_path: Path, revision: str) -> None:
    passed = run_suite(server, revision, ["--suite", "all", "--spec-version", revision], tmp_path)

    assert passed >= PASSED[revision]


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_what_a_revision_requires_ends_as_the_baseline_says(
    server: Server, tmp_path: Path, revision: str
) -> None:
    passed = run_suite(server, revision, ["--requirements", revision], tmp_path)

    assert passed >= PASSED[revision]


@pytest.mark.parametrize("revision", PASSED)
def test_every_entry_of_a_baseline_has_its_reason(revision: str) -> None:
    lines = (HERE / f"baseline-{revision}.yml").read_text("utf-8").splitlines()
    entries = [line for line in lines if not line.startswith(("#", "server:"))]

    assert [entry for entry in entries if not _ENTRY.fullmatch(entry)] == []
