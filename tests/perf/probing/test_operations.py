"""Operations of a scenario on a real Choirbook: prepared with the content that a load is held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from choirbook_perf import engine
from choirbook_perf.choirbook_server import running
from choirbook_perf.engine import ClosedLoad
from choirbook_perf.errors import BadInput
from choirbook_perf.planner import make_plan
from choirbook_perf.scenario import parse

MIXED = """
name = "mixed"
think_time_s = []
[[task]]
name = "search"
operation = "tools/call"
tool = "search"
arguments = { query = "test" }
expect = { contains = "test" }
[[task]]
name = "wrong search"
operation = "tools/call"
tool = "search"
arguments = { query = 3 }
expect = { is_error = true }
[[task]]
name = "core"
resources = ["sdlc/core"]
[[task]]
name = "list"
operation = "resources/list"
[[task]]
name = "templates"
operation = "resources/templates/list"
[[task]]
name = "tools"
operation = "tools/list"
[[task]]
name = "prompts"
operation = "prompts/list"
[[task]]
name = "epic"
operation = "prompts/get"
prompt = "epic-template"
[[task]]
name = "completion"
operation = "completion/complete"
template = "mcp://resources/patterns/{language}/{name}"
argument = "language"
value = "p"
"""
HELLO = '[[task]]\nname = "hello"\noperation = "initialize"\n'


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("choirbook") / "server.log", [], {}) as server:
        yield server.url


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_every_operation_is_prepared_and_loaded(era: str, url: str) -> None:
    scenario = parse(MIXED + (HELLO if era == "handshake" else ""), "mixed.toml")
    plan = make_plan(url, "mcp", era, scenario)
    assert [operation.name for operation in plan.operations() if operation.expected is None] == []
    measured, _ = engine.run(
        plan, ClosedLoad(users=2, run_time_s=1, spawn_rate=50, warm_up_s=0), with_floor=False
    )
    assert measured.failures == []
    assert {series.name for series in measured.series} == {task.name for task in scenario.tasks} - {
        "core"
    } | {"sdlc/core"}
    types = {series.name: series.resource_type for series in measured.series}
    assert (types["sdlc/core"], types["search"]) == ("sdlc", "tools/call")


@pytest.mark.parametrize(
    ("protocol", "era", "task", "told"),
    [
        ("mcp", "modern", HELLO, "--era handshake"),
        ("http", "auto", '[[task]]\nname = "t"\noperation = "tools/list"\n', "--protocol mcp"),
        (
            "mcp",
            "modern",
            '[[task]]\nname = "t"\noperation = "tools/call"\ntool = "none"\n',
            "tools/call none",
        ),
        ("mcp", "modern", '[[task]]\nname = "t"\nresources = ["no/such"]\n', "no/such"),
        (
            "mcp",
            "modern",
            '[[task]]\nname = "t"\nresources = ["sdlc/core"]\nexpect = { contains = "xyzzy" }\n',
            "does not contain 'xyzzy'",
        ),
    ],
)
def test_an_operation_that_the_server_does_not_have_is_named(
    protocol: str, era: str, task: str, told: str, url: str
) -> None:
    with pytest.raises(BadInput, match=told):
        make_plan(url, protocol, era, parse(f'name = "s"\n{task}', "s.toml"))


def test_a_plan_for_another_place_has_all_requests_there(url: str, tmp_path: Path) -> None:
    from choirbook_perf.plan import load, moved, save

    plan = moved(make_plan(url, "mcp", "handshake"), "http://other:1")
    assert plan.handshake is not None
    steps = (plan.handshake.initialize, plan.handshake.initialized, plan.handshake.end)
    urls = {request.url for request in (*steps, *(each.request for each in plan.operations()))}
    assert urls == {"http://other:1/mcp"}
    save(plan, tmp_path / "plan.json")
    assert load(tmp_path / "plan.json") == plan
    assert (tmp_path / "plan.json").stat().st_mode & 0o077 == 0
