"""The description is a valid one, and what the server answers is what it describes."""

import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate

from choirbook import __version__
from choirbook.errors import TABLE
from choirbook.http.openapi import openapi_document
from scripts.openapi import COMPILED, compiled
from tests.support.apps import Served, serving
from tests.support.sources import EIO, FailingSource

DOCUMENT = openapi_document(__version__)
RESOLVED = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOCUMENT["components"]}

CORE = "/mcp/resources/sdlc/core"
PATTERN = "/mcp/resources/patterns/core"
OF_LANGUAGE = "/mcp/resources/patterns/go/core"
TEMPLATE = "/mcp/resources/templates/prd-template"
OTHER = "/mcp/resources/files/images/pixel.png"

READS = {
    "/mcp/resources/sdlc/core": CORE,
    "/mcp/resources/patterns/{name}": PATTERN,
    "/mcp/resources/patterns/{language}/{name}": OF_LANGUAGE,
    "/mcp/resources/templates/{name}": TEMPLATE,
    "/mcp/resources/{path}": OTHER,
}


def hold(route: str, method: str, response: httpx.Response) -> None:
    """Check an answer against what is described for its route, method and status."""
    described = DOCUMENT["paths"][route]
    status = str(response.status_code)
    responses = described["get" if method == "GET" else "head" if method == "HEAD" else "get"]["responses"]
    assert status in responses, f"{method} {route} answered {status}, which is not described"
    content = responses[status].get("content")
    for name in responses[status].get("headers", {}):
        assert name in response.headers
    if not response.content or method == "HEAD":
        return
    assert content is not None, f"{method} {route} has a body with {status}, which is not described"
    media_type = response.headers["content-type"].partition(";")[0]
    schema = content.get(media_type) or content.get(media_type.split("/")[0] + "/*") or content.get("*/*")
    assert schema is not None, f"{media_type} is not described"
    value = response.json() if media_type.endswith("json") else response.text
    jsonschema.validate(value, {**RESOLVED, **schema["schema"]}, format_checker=jsonschema.FormatChecker())


def test_the_description_is_valid() -> None:
    validate(DOCUMENT)


def test_the_file_that_is_served_is_made_of_the_one_that_is_written() -> None:
    assert COMPILED.read_text("utf-8") == compiled(), "make it again with: task docs:openapi"


def test_problems_are_described_by_the_titles_of_their_errors() -> None:
    titles = {str(outcome.http): outcome.title for outcome in reversed(TABLE.values())}
    for path, item in DOCUMENT["paths"].items():
        for status, response in item["get"]["responses"].items():
            if "application/problem+json" in response.get("content", {}):
                assert response["description"] == titles[status], (path, status)


def test_prefix_and_version_are_filled_in_for_one_answer_alone() -> None:
    described = openapi_document("1.2.3", "/standards")
    assert described["info"]["version"] == "1.2.3"
    assert described["servers"] == [{"url": "/standards"}]
    assert openapi_document(__version__) == DOCUMENT


async def test_the_description_is_served(served: Served) -> None:
    response = await served.get("/openapi.json")
    assert response.json() == DOCUMENT
    hold("/openapi.json", "GET", response)


def test_every_parameter_of_a_path_is_described() -> None:
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            described = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert described == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize(("route", "path"), READS.items())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 200),
        ({"accept-encoding": "gzip"}, "", 200),
        ({}, "?format=raw", 200),
        ({}, "?format=json", 200),
        ({}, "?format=outline", 200),
        ({}, "?section=none", 404),
        ({"if-none-match": "*"}, "", 304),
        ({}, "?format=xml", 400),
        ({"accept": "model/x"}, "", 406),
    ],
)
async def test_reads_answer_as_described(
    served: Served, route: str, path: str, method: str, headers: dict[str, str], query: str, status: int
) -> None:
    response = await served.client.request(method, path + query, headers=headers)
    assert response.status_code == status
    hold(route, method, response)


@pytest.mark.parametrize(("route", "path"), READS.items())
async def test_ranges_answer_as_described(served: Served, route: str, path: str) -> None:
    for wanted, status in (("bytes=0-3", 206), ("bytes=999999-", 416)):
        response = await served.get(path + "?format=raw", range=wanted)
        assert response.status_code == status
        hold(route, "GET", response)


@pytest.mark.parametrize(("route", "path"), READS.items())
async def test_other_methods_answer_as_described(served: Served, route: str, path: str) -> None:
    response = await served.client.post(path)
    assert response.status_code == 405
    hold(route, "POST", response)


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/mcp/resources/patterns/{name}", "/mcp/resources/patterns/none"),
        ("/mcp/resources/patterns/{language}/{name}", "/mcp/resources/patterns/go/none"),
        ("/mcp/resources/templates/{name}", "/mcp/resources/templates/none"),
        ("/mcp/resources/{path}", "/mcp/resources/none"),
    ],
)
async def test_what_is_not_there_answers_as_described(served: Served, route: str, path: str) -> None:
    response = await served.get(path)
    assert response.status_code == 404
    hold(route, "GET", response)


@pytest.mark.parametrize(("route", "path"), READS.items())
async def test_an_unreadable_document_answers_as_described(library: Path, route: str, path: str) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        response = await served.get(path)
        assert response.status_code == 500
        hold(route, "GET", response)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?q=core", 200),
        ("?q=pixel&type=file&limit=1", 200),
        ("?q=nothinglikeit", 200),
        ("", 400),
        ("?q=core&limit=0", 400),
        ("?q=core&type=none", 400),
    ],
)
async def test_searches_answer_as_described(served: Served, query: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        response = await served.client.request(method, f"/mcp/search{query}")
        assert response.status_code == status
        hold("/mcp/search", method, response)
    response = await served.client.post(f"/mcp/search{query}")
    assert response.status_code == 405
    hold("/mcp/search", "POST", response)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?limit=1", 200),
        ("?type=pattern", 200),
        ("?limit=0", 400),
        ("?type=none", 400),
        ("?cursor=none", 400),
    ],
)
async def test_the_listing_answers_as_described(served: Served, query: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        response = await served.client.request(method, "/mcp/resources" + query)
        assert response.status_code == status
        hold("/mcp/resources", method, response)
    hold("/mcp/resources", "POST", await served.client.post("/mcp/resources"))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_the_rest_answers_as_described(served: Served, path: str) -> None:
    for method in ("GET", "HEAD"):
        hold(path, method, await served.client.request(method, path))


def _problems() -> list[Any]:
    return [
        response["content"]
        for item in DOCUMENT["paths"].values()
        for status, response in item["get"]["responses"].items()
        if status >= "400" and "content" in response
    ]


def test_every_problem_is_described_as_problem_details() -> None:
    assert _problems()
    for content in _problems():
        assert set(content) <= {"application/problem+json", "application/json"}
