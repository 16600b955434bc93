from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.errors import BadInput
from choirbook_perf.scenario import MISSION, parse, parse_duration_s, parse_think_time

names = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="/-"), min_size=1)
tasks = st.lists(
    st.tuples(names, st.integers(1, 1000), st.lists(names, min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
    unique_by=lambda task: task[0],
)


def _quoted(text: str) -> str:
    return f'"{text}"'


def test_the_mission_s_mix() -> None:
    assert [(task.name, task.weight) for task in MISSION.tasks] == [
        ("sdlc/core", 3),
        ("patterns/core", 2),
        ("template", 1),
    ]
    assert MISSION.think_time_s == (0.1, 0.5)
    assert len(MISSION.projects) == 10


@given(tasks)
def test_what_a_file_says_is_what_is_read(wanted: list[tuple[str, int, list[str]]]) -> None:
    lines = ['name = "ours"', "think_time_s = []"]
    for name, weight, resources in wanted:
        lines += ["[[task]]", f"name = {_quoted(name)}", f"weight = {weight}"]
        lines += [f"resources = [{', '.join(map(_quoted, resources))}]"]
    scenario = parse("\n".join(lines), "ours.toml")
    assert [(task.name, task.weight, list(task.resources)) for task in scenario.tasks] == wanted
    assert scenario.think_time_s == ()
    assert scenario.projects == MISSION.projects


@given(st.text())
def test_any_text_is_a_scenario_or_bad_input_that_names_the_file(text: str) -> None:
    with pytest.raises(BadInput, match=r"ours\.toml"):
        parse(text, "ours.toml")


def operation(name: str, keys: str = "") -> str:
    """Return a scenario of one task that is not a read."""
    return f'name = "a"\n[[task]]\nname = "t"\noperation = "{name}"\n{keys}'


TASK = '\n[[task]]\nname = "a"\nresources = ["x"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "name"),
        ('name = "a"', "task"),
        ('name = "a"\ntask = []', r"\[\[task\]\]"),
        ('name = "a"\nusers = 3' + TASK, "users"),
        ('name = "a"\nprojects = []' + TASK, "projects"),
        ('name = "a"\nprojects = ["p", "p"]' + TASK, "once"),
        ('name = "a"\nthink_time_s = [2, 1]' + TASK, "think_time_s"),
        ('name = "a"\nthink_time_s = [nan, nan]' + TASK, "think_time_s"),
        ('name = "a"\nthink_time_s = [1]' + TASK, "think_time_s"),
        ('name = "a"' + TASK + "weight = 0", "weight"),
        ('name = "a"' + TASK + "weight = 1.5", "weight"),
        ('name = "a"' + TASK + TASK, "same name"),
        ('name = "a"\n[[task]]\nname = "t"\nresources = []', "resources"),
        ('name = "a"\n[[task]]\nname = ""\nresources = ["x"]', "empty name"),
        ('name = "a"' + TASK + 'operation = "resources/write"', "resources/write.*use one of"),
        ('name = "a"' + TASK + 'tool = "t"', "resources/read has no use for tool"),
        ('name = "a"' + TASK + "expect = { is_error = true }", "tools/call only"),
        ('name = "a"' + TASK + 'expect = { content = "other" }', "content"),
        (operation("tools/call"), "tools/call needs tool"),
        (operation("tools/call", 'tool = "t"\nvalue = "v"'), "no use for value"),
        (operation("prompts/get"), "prompts/get needs prompt"),
        (operation("completion/complete", 'argument = "a"'), "either prompt or template"),
        (
            operation("completion/complete", 'argument = "a"\nprompt = "p"\ntemplate = "t"'),
            "either prompt or template",
        ),
        (operation("tools/list", 'tool = "t"'), "no use for tool"),
        (operation("initialize", 'resources = ["x"]'), "no use for resources"),
    ],
)
def test_a_message_names_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        parse(text, "ours.toml")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("tools/call", 'tool = "t"\narguments = { a = 1, b = [2.5, "c"] }\nexpect = { is_error = true }'),
        ("prompts/get", 'prompt = "p"\narguments = { a = "b" }\nexpect = { content = "any" }'),
        ("completion/complete", 'template = "a://{b}"\nargument = "b"\nvalue = "c"'),
        ("completion/complete", 'prompt = "p"\nargument = "b"\nexpect = { contains = "x" }'),
        ("resources/list", ""),
        ("resources/templates/list", ""),
        ("tools/list", ""),
        ("prompts/list", ""),
        ("initialize", ""),
    ],
)
def test_operations_other_than_reads(name: str, keys: str) -> None:
    (task,) = parse(operation(name, keys), "ours.toml").tasks
    assert task.operation == name


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"
    total_s = hours * 3600 + minutes * 60 + seconds
    if total_s:
        assert parse_duration_s(text) == total_s
    else:
        with pytest.raises(BadInput):
            parse_duration_s(text)


@given(st.text())
def test_any_text_is_a_think_time_or_bad_input(text: str) -> None:
    try:
        range_s = parse_think_time(text)
    except BadInput:
        return
    assert not range_s or (0 <= range_s[0] <= range_s[1] and math.isfinite(range_s[1]))


def test_think_times() -> None:
    assert parse_think_time("none") == ()
    assert parse_think_time("0.1-0.5") == (0.1, 0.5)
    assert parse_think_time("2") == (2.0, 2.0)
