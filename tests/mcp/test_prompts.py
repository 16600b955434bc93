from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from choirbook.documents.placeholders import MAX_VALUE_CHARACTERS
from choirbook.mcp.prompts import MAX_NAMED
from choirbook.settings import STARTER_LIBRARY
from tests.support.apps import Served, serving
from tests.support.mcp import error, result
from tests.support.sources import EIO, FailingSource
from tests.support.trees import plant
from tests.support.waiting import eventually

STORY = """<template>
  <title>User story</title>
  <description>Use when a feature is cut into stories.</description>
  <variables><variable name="role" required="true">Who wants it.</variable></variables>
  <body>As {{role}} I want {{wish}}, as {{role}} said.</body>
</template>
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    files = {
        "templates/story-template.xml": STORY,
        "templates/plain-template.xml": "<a/>",
        "sdlc-core.md": "#",
    }
    return plant(tmp_path / "library", files)


async def prompts(served: Served, era: str, **params: Any) -> dict[str, Any]:
    """Return a page of the listing, by name."""
    page = await result(served, era, "prompts/list", **params)
    return {each["name"]: each for each in page["prompts"]}


async def texts(served: Served, era: str, name: str, /, **arguments: str) -> list[str]:
    """Return the texts of a prompt's messages."""
    found = await result(served, era, "prompts/get", name=name, arguments=arguments)
    assert all(each["role"] == "user" and each["content"]["type"] == "text" for each in found["messages"])
    return [each["content"]["text"] for each in found["messages"]]


async def refusal(served: Served, era: str, **params: Any) -> str:
    failed = await error(served, era, "prompts/get", **params)
    assert failed["code"] == -32602
    return str(failed["message"])


async def test_each_template_is_a_prompt_with_its_placeholders(served: Served, era: str) -> None:
    assert await prompts(served, era) == {
        "story-template": {
            "name": "story-template",
            "title": "User story",
            "description": "Use when a feature is cut into stories.",
            "arguments": [{"name": "role", "description": "Who wants it."}, {"name": "wish"}],
        },
        "plain-template": {
            "name": "plain-template",
            "title": "templates/plain-template",
            "description": "A template to fill in: templates/plain-template.",
            "arguments": [],
        },
    }


async def test_every_template_of_the_starter_library_can_be_filled_in(era: str) -> None:
    async with serving(STARTER_LIBRARY) as served:
        listed = await prompts(served, era)
        assert len(listed) == served.library.catalog.count("template") > 0
        for name, prompt in listed.items():
            arguments = {each["name"]: f"<{each['name']} & more>" for each in prompt["arguments"]}
            assert arguments
            (filled,) = await texts(served, era, name, **arguments)
            assert "{{" not in filled
            whole = "".join(ET.fromstring(filled.encode()).itertext())  # noqa: S314 - a file of the project
            assert all(value in whole for value in arguments.values())


async def test_arguments_are_put_in_and_the_rest_is_named(served: Served, era: str) -> None:
    filled, note = await texts(served, era, "story-template", wish="tea & biscuits")
    assert "As {{role}} I want tea &amp; biscuits, as {{role}} said." in filled
    assert "mcp://resources/templates/story-template" in note
    assert "{{role}} (required)" in note
    assert "wish" not in note


async def test_a_prompt_that_is_filled_in_is_one_message(served: Served, era: str) -> None:
    (filled,) = await texts(served, era, "story-template", wish="tea", role="a guest")
    assert "As a guest I want tea, as a guest said." in filled
    assert await texts(served, era, "plain-template") == ["<a/>"]


async def test_a_prompt_tells_what_it_is_for(served: Served, era: str) -> None:
    found = await result(served, era, "prompts/get", name="story-template")
    assert found["description"] == "Use when a feature is cut into stories."


async def test_getting_a_prompt_counts_as_a_read_of_its_template(served: Served, era: str) -> None:
    await texts(served, era, "story-template")
    metrics = await served.metrics()
    assert 'mcp_resource_cache_misses_total{resource_type="template"} 1.0' in metrics


async def test_an_edit_shows_in_the_listing_and_in_the_prompt(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert await prompts(served, era)
        plant(library, {"templates/story-template.xml": "<story>{{who}} and {{why}}</story>"})

        async def arguments() -> bool:
            listed = (await prompts(served, era))["story-template"]["arguments"]
            return bool(listed == [{"name": "who"}, {"name": "why"}])

        await eventually(arguments)
        assert (await texts(served, era, "story-template", who="I", why="so")) == ["<story>I and so</story>"]


async def test_a_template_that_goes_takes_its_prompt_along(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert "plain-template" in await prompts(served, era)
        (library / "templates/plain-template.xml").unlink()

        async def is_gone() -> bool:
            return "plain-template" not in await prompts(served, era)

        await eventually(is_gone)
        assert "no prompt 'plain-template'" in await refusal(served, era, name="plain-template")


async def test_the_listing_comes_in_pages(tmp_path: Path, era: str) -> None:
    plant(tmp_path, {f"templates/t{number}-template.xml": "<a>{{x}}</a>" for number in range(5)})
    async with serving(tmp_path, page_size=2) as served:
        walked: list[str] = []
        params: dict[str, str] = {}
        while True:
            page = await result(served, era, "prompts/list", **params)
            assert len(page["prompts"]) <= 2
            walked += [each["name"] for each in page["prompts"]]
            if "nextCursor" not in page:
                break
            params = {"cursor": page["nextCursor"]}
        assert walked == [f"t{number}-template" for number in range(5)]


async def test_a_cursor_of_somebody_else_is_refused(served: Served, era: str) -> None:
    assert (await error(served, era, "prompts/list", cursor="bm9uc2Vuc2U"))["code"] == -32602


RULES = """
[[collection]]
type = "template"
uri = "acme://forms/{team}/{name}"
files = "forms/{team}/{name}.md"
[[collection]]
type = "template"
uri = "acme://letters/{name}"
files = "letters/{name}.md"
[[collection]]
type = "template"
uri = "acme://letters/extra/{name}"
files = "extra/{name}.md"
[[collection]]
type = "template"
uri = "acme://the/one"
files = "one.md"
[[collection]]
type = "guide"
uri = "acme://guides/{name}"
files = "guides/{name}.md"
"""


async def test_prompts_come_from_the_rules_and_have_names_of_their_own(tmp_path: Path, era: str) -> None:
    files = {
        "choirbook.toml": RULES,
        "forms/a/leave.md": "# Leave\n\n{{who}}\n",
        "forms/a/b c.md": "# B C\n",
        "letters/leave.md": "# Leave us\n\n{{when}}\n",
        "letters/hello.md": "# Hello\n",
        "extra/hello.md": "# Hello again\n",
        "one.md": "# One\n",
        "guides/x.md": "# X\n",
    }
    async with serving(plant(tmp_path, files)) as served:
        listed = await prompts(served, era)
        assert {name: each["title"] for name, each in listed.items()} == {
            "a/b c": "B C",
            "a/leave": "Leave",
            "leave": "Leave us",
            "hello": "Hello",
            "extra/hello": "Hello again",
            "one": "One",
        }
        for name, each in listed.items():
            assert each["title"] in (await texts(served, era, name))[0]
        # Markdown has no markup to keep whole: a value goes in as it is.
        assert "R&D" in (await texts(served, era, "a/leave", who="R&D"))[0]


async def test_two_that_would_be_called_the_same_have_longer_names(tmp_path: Path, era: str) -> None:
    rules = """
[[collection]]
type = "template"
uri = "acme://x/one/{name}"
files = "one/{name}.md"
[[collection]]
type = "template"
uri = "acme://x/two/{name}"
files = "two/{name}.md"
[[collection]]
type = "template"
uri = "acme://y/two/{name}"
files = "three/{name}.md"
"""
    files = {f"{name}/a.md": f"# {name}\n" for name in ("one", "two", "three")}
    async with serving(plant(tmp_path, {"choirbook.toml": rules, **files})) as served:
        listed = await prompts(served, era)
        assert {name: each["title"] for name, each in listed.items()} == {
            "a": "one",
            "two/a": "two",
            "acme://y/two/a": "three",
        }
        for name, each in listed.items():
            assert await texts(served, era, name) == [f"# {each['title']}\n"]


async def test_what_is_no_text_is_no_prompt(library: Path, era: str) -> None:
    plant(library, {"templates/latin-template.xml": "<a>naïve {{x}}</a>".encode("latin-1")})
    async with serving(library) as served:
        assert "latin-template" not in await prompts(served, era)
        assert "no prompt 'latin-template'" in await refusal(served, era, name="latin-template")


async def test_a_template_that_cannot_be_read_is_left_out_until_it_can(library: Path, era: str) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        assert await prompts(served, era) == {}
        failed = await error(served, era, "prompts/get", name="story-template")
        assert failed["code"] == -32603
        source.error = None
        assert len(await prompts(served, era)) == 2


async def test_an_unknown_prompt_is_answered_with_those_there_are(served: Served, era: str) -> None:
    message = await refusal(served, era, name="stroy-template")
    assert "'stroy-template'" in message
    assert "plain-template, story-template" in message
    assert "sdlc" in await refusal(served, era, name="sdlc/core")
    assert "no prompt" in await refusal(served, era, name="\\..;\x00")


async def test_an_error_lists_only_so_many_prompts(tmp_path: Path, era: str) -> None:
    names = [f"t{number:02}-template" for number in range(MAX_NAMED + 1)]
    async with serving(plant(tmp_path, {f"templates/{name}.xml": "<a/>" for name in names})) as served:
        message = await refusal(served, era, name="x")
        assert f"{names[-2]}, and others, see prompts/list." in message
        assert names[-1] not in message


async def test_a_library_without_templates_has_no_prompts(tmp_path: Path, era: str) -> None:
    async with serving(plant(tmp_path, {"a.txt": "x"})) as served:
        assert await prompts(served, era) == {}
        assert "no templates" in await refusal(served, era, name="a.txt")


async def test_an_unknown_argument_is_answered_with_those_there_are(served: Served, era: str) -> None:
    message = await refusal(served, era, name="story-template", arguments={"rolle": "x"})
    assert "'rolle'" in message
    assert "role, wish" in message
    assert "takes none" in await refusal(served, era, name="plain-template", arguments={"x": "y"})


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({}, "name"),
        ({"name": "story-template", "arguments": {"role": 1}}, "$.arguments"),
        ({"name": "story-template", "arguments": ["role"]}, "$.arguments"),
        ({"name": "story-template", "arguments": {"role": "x" * (MAX_VALUE_CHARACTERS + 1)}}, "role has"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    served: Served, era: str, params: dict[str, Any], complaint: str
) -> None:
    assert complaint in await refusal(served, era, **params)


async def test_an_argument_is_completed_with_nothing_as_it_is_free_text(served: Served, era: str) -> None:
    ref = {"type": "ref/prompt", "name": "story-template"}
    found = await result(served, era, "completion/complete", ref=ref, argument={"name": "role", "value": "a"})
    assert found == {"completion": {"values": [], "total": 0, "hasMore": False}}
    failed = await error(served, era, "completion/complete", ref=ref, argument={"name": "rolle", "value": ""})
    assert (failed["code"], "role, wish" in failed["message"]) == (-32602, True)
    ref["name"] = "nobody"
    failed = await error(served, era, "completion/complete", ref=ref, argument={"name": "role", "value": ""})
    assert (failed["code"], "story-template" in failed["message"]) == (-32602, True)
