from pathlib import Path
from typing import Any

import pytest

from choirbook.mcp.completion import LISTING_REFERENCE, MAX_NARROWINGS
from choirbook.uri import MAX_URI_BYTES
from tests.support.apps import Served, serving
from tests.support.mcp import error, result
from tests.support.trees import plant
from tests.support.waiting import eventually

PATTERN = "mcp://resources/patterns/{language}/{name}"
WITHOUT_LANGUAGE = "mcp://resources/patterns/{name}{?language}"
FILE = "mcp://resources/files/{+path}"


async def complete(
    served: Served, era: str, uri: str, variable: str, typed: str = "", /, **settled: str
) -> dict[str, Any]:
    """Complete a variable and return what the server says of it."""
    context = {"context": {"arguments": settled}} if settled else {}
    found = await result(
        served,
        era,
        "completion/complete",
        ref={"type": "ref/resource", "uri": uri},
        argument={"name": variable, "value": typed},
        **context,
    )
    assert found.keys() == {"completion"}
    completion: dict[str, Any] = found["completion"]
    return completion


async def refusal(served: Served, era: str, **params: Any) -> str:
    """Return the message of an error about the parameters."""
    failed = await error(served, era, "completion/complete", **params)
    assert failed["code"] == -32602
    return str(failed["message"])


async def test_every_variable_of_every_template_is_completed(served: Served, era: str) -> None:
    templates = (await result(served, era, "resources/templates/list"))["resourceTemplates"]
    values = {
        (template["uriTemplate"], variable): (await complete(served, era, template["uriTemplate"], variable))[
            "values"
        ]
        for template in templates
        for variable in ("language", "name", "artifact", "path")
        if "{" + variable in template["uriTemplate"].replace("+", "")
    }
    assert values == {
        (PATTERN, "language"): ["go", "python"],
        (PATTERN, "name"): ["core"],
        ("mcp://resources/templates/{artifact}-template", "artifact"): ["prd"],
        (FILE, "path"): ["images/pixel.png"],
    }


async def test_completed_values_make_a_uri_that_is_read(library: Path, era: str) -> None:
    plant(library, {"notes/read me.md": "# Read me\n"})
    async with serving(library) as served:
        (path,) = (await complete(served, era, FILE, "path", "no"))["values"]
        assert path == "notes/read me.md"
        uri = "mcp://resources/files/" + path.replace(" ", "%20")
        assert (await result(served, era, "resources/read", uri=uri))["contents"]


async def test_a_beginning_narrows_in_any_case(served: Served, era: str) -> None:
    found = await complete(served, era, PATTERN, "language", "PY")
    assert found == {"values": ["python"], "total": 1, "hasMore": False}


async def test_what_begins_nothing_finds_what_is_like_it(served: Served, era: str) -> None:
    assert (await complete(served, era, PATTERN, "language", "thon"))["values"] == ["python"]
    assert (await complete(served, era, PATTERN, "language", "pyhton"))["values"] == ["python"]
    assert (await complete(served, era, PATTERN, "language", "cobol")) == {
        "values": [],
        "total": 0,
        "hasMore": False,
    }


async def test_settled_arguments_narrow(library: Path, era: str) -> None:
    plant(library, {"python/patterns-typing.md": "# Typing\n", "go/patterns-errors.md": "# Errors\n"})
    async with serving(library) as served:
        assert (await complete(served, era, PATTERN, "name", language="go"))["values"] == ["core", "errors"]
        assert (await complete(served, era, PATTERN, "language", name="typing"))["values"] == ["python"]
        assert (await complete(served, era, PATTERN, "name", language="cobol"))["values"] == []


async def test_settled_arguments_that_say_nothing_narrow_nothing(served: Served, era: str) -> None:
    settled = {"name": "core", "language": "go", "unknown": "x"}
    assert (await complete(served, era, PATTERN, "language", **settled))["values"] == ["go", "python"]
    assert (await complete(served, era, PATTERN, "language", name=""))["values"] == ["go", "python"]


async def test_a_hundred_values_are_the_most(tmp_path: Path, era: str) -> None:
    plant(tmp_path, {f"note-{number:03}.txt": "x" for number in range(150)})
    async with serving(tmp_path) as served:
        found = await complete(served, era, FILE, "path", "note-")
        assert found["values"] == [f"note-{number:03}.txt" for number in range(100)]
        assert (found["total"], found["hasMore"]) == (150, True)
        inside = await complete(served, era, FILE, "path", ".txt")
        assert len(inside["values"]) == 100
        assert inside["hasMore"] is True


async def test_the_type_of_the_listing_is_completed(served: Served, era: str) -> None:
    every = await complete(served, era, LISTING_REFERENCE, "type")
    assert every["values"] == ["file", "pattern", "sdlc", "template"]
    listed = await served.client.get("/mcp/resources", params={"type": every["values"][1]})
    assert listed.json()["total"] == 2
    assert (await complete(served, era, LISTING_REFERENCE, "type", "plat"))["values"] == ["template"]


async def test_a_language_is_completed_beside_a_name_that_leaves_it_out(library: Path, era: str) -> None:
    plant(library, {"go/patterns-errors.md": "# Errors\n"})
    async with serving(library) as served:
        found = await complete(served, era, WITHOUT_LANGUAGE, "language", name="errors")
        assert found["values"] == ["go"]
        response = await served.client.get("/mcp/resources/patterns/errors", params={"language": "go"})
        assert response.status_code == 200


async def test_completion_follows_the_library(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert (await complete(served, era, PATTERN, "language"))["values"] == ["go", "python"]
        plant(library, {"rust/patterns-core.md": "# Rust core\n"})

        async def languages() -> bool:
            found = await complete(served, era, PATTERN, "language")
            return bool(found["values"] == ["go", "python", "rust"])

        await eventually(languages)


async def test_more_narrowings_than_are_kept_are_answered(served: Served) -> None:
    for number in range(MAX_NARROWINGS + 10):
        found = await complete(served, "handshake", PATTERN, "name", language=f"l{number}")
        assert found["total"] == 0
    assert (await complete(served, "handshake", PATTERN, "name", language="go"))["values"] == ["core"]


async def test_an_unknown_template_is_answered_with_those_there_are(served: Served, era: str) -> None:
    ref = {"type": "ref/resource", "uri": "mcp://resources/nothing/{here}"}
    message = await refusal(served, era, ref=ref, argument={"name": "here", "value": ""})
    for known in (PATTERN, WITHOUT_LANGUAGE, FILE, LISTING_REFERENCE):
        assert known in message


async def test_an_unknown_variable_is_answered_with_those_there_are(served: Served, era: str) -> None:
    ref = {"type": "ref/resource", "uri": PATTERN}
    message = await refusal(served, era, ref=ref, argument={"name": "nome", "value": ""})
    assert "'nome'" in message
    assert "language, name" in message
    listing = {"type": "ref/resource", "uri": LISTING_REFERENCE}
    assert "type" in await refusal(served, era, ref=listing, argument={"name": "x", "value": ""})


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({}, "ref"),
        ({"ref": {"type": "ref/resource", "uri": PATTERN}}, "argument"),
        ({"ref": {"type": "ref/tool"}, "argument": {"name": "x", "value": ""}}, "$.ref.type"),
        (
            {"ref": {"type": "ref/resource", "uri": PATTERN}, "argument": {"name": "name", "value": 1}},
            "$.argument.value",
        ),
        (
            {
                "ref": {"type": "ref/resource", "uri": PATTERN},
                "argument": {"name": "name", "value": ""},
                "context": {"arguments": {"language": 1}},
            },
            "$.context.arguments",
        ),
        (
            {
                "ref": {"type": "ref/resource", "uri": PATTERN},
                "argument": {"name": "name", "value": "x" * (MAX_URI_BYTES + 1)},
            },
            f"at most {MAX_URI_BYTES}",
        ),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    served: Served, era: str, params: dict[str, Any], complaint: str
) -> None:
    assert complaint in await refusal(served, era, **params)
