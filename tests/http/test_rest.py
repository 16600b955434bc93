import asyncio
import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from choirbook.documents.content_codings import Coding
from choirbook.http.rest import MAX_LIMIT
from choirbook.uri import path_of
from tests.documents.test_content_codings import decompress
from tests.support.apps import Served, serving
from tests.support.mcp import handshake
from tests.support.problems import problem
from tests.support.sources import EIO, FailingSource, SlowSource
from tests.support.trees import CORE, GO_CORE, PIXEL, PRD, PYTHON_CORE, plant, replace
from tests.support.waiting import eventually

CORE_PATH = "/mcp/resources/sdlc/core"
GO_PATH = "/mcp/resources/patterns/go/core"
PIXEL_PATH = "/mcp/resources/files/images/pixel.png"
CODINGS = [coding.value for coding in Coding]


async def test_json_is_the_default(served: Served) -> None:
    response = await served.get(CORE_PATH)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    document = response.json()
    assert (document["uri"], document["content"]) == ("mcp://resources/sdlc/core", CORE)
    assert document["digest"] == f"sha256:{hashlib.sha256(CORE.encode()).hexdigest()}"
    assert document["etag"] == response.headers["etag"]


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        (CORE_PATH, CORE, "text/markdown; charset=utf-8"),
        (GO_PATH, GO_CORE, "text/markdown; charset=utf-8"),
        ("/mcp/resources/templates/prd-template", PRD, "application/xml; charset=utf-8"),
        ("/mcp/resources/patterns/core", PYTHON_CORE, "text/markdown; charset=utf-8"),
    ],
)
async def test_text_is_sent_as_it_is(served: Served, path: str, content: str, media_type: str) -> None:
    for response in (await served.get(path, accept="text/*"), await served.get(f"{path}?format=raw")):
        assert response.content == content.encode()
        assert response.headers["content-type"] == media_type
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_picture_is_sent_as_it_is(served: Served) -> None:
    response = await served.get(PIXEL_PATH, accept="image/*", accept_encoding="gzip")
    assert (response.content, response.headers["content-type"]) == (PIXEL, "image/png")
    assert "content-encoding" not in response.headers
    envelope = (await served.get(PIXEL_PATH)).json()
    assert base64.b64decode(envelope["content"]) == PIXEL


async def test_the_query_names_the_language(served: Served) -> None:
    python = await served.get("/mcp/resources/patterns/core")
    go = await served.get("/mcp/resources/patterns/core?language=go")
    assert python.json()["uri"] == "mcp://resources/patterns/python/core"
    assert go.json()["uri"] == "mcp://resources/patterns/go/core"
    assert (await served.get("/mcp/resources/patterns/core?language=rust")).status_code == 404
    assert (await served.get("/mcp/resources/patterns/core?language=..%2Fgo")).status_code == 400


async def test_an_unknown_field_of_the_query_is_passed_over(served: Served) -> None:
    assert (await served.get(f"{CORE_PATH}?utm_source=mail&language=go")).status_code == 200


async def test_the_first_answer_is_a_miss_and_the_next_one_a_hit(served: Served) -> None:
    answers = [(await served.get(CORE_PATH)).headers["x-cache"] for _ in range(3)]
    assert answers == ["miss", "hit", "hit"]


FORMS = [
    {"accept": accept, "accept_encoding": coding} for accept in ("text/*", "*/*") for coding in ["", *CODINGS]
]


async def test_every_form_has_an_etag_and_says_what_it_was_chosen_by(served: Served) -> None:
    etags = set()
    for form in FORMS:
        response = await served.get(GO_PATH, **form)
        etags.add(response.headers["etag"])
        assert response.headers["vary"] == "accept, accept-encoding, origin"
        assert response.headers["last-modified"].endswith(" GMT")
        assert response.headers["cache-control"] == "max-age=1, must-revalidate"
    assert len(etags) == len(FORMS)


async def _wire(served: Served, path: str, accept: str, coding: str) -> httpx.Response:
    """Get a response whose body is left as it was sent."""
    request = served.client.build_request("GET", path, headers={"accept": accept, "accept-encoding": coding})
    response = await served.client.send(request, stream=True)
    response._content = b"".join([chunk async for chunk in response.aiter_raw()])  # noqa: SLF001 - httpx has no other way
    return response


@pytest.mark.parametrize("accept", ["text/*", "application/json"])
@pytest.mark.parametrize("coding", Coding)
async def test_a_compressed_answer_decodes_to_the_plain_one_and_is_always_the_same(
    served: Served, accept: str, coding: Coding
) -> None:
    plain = await _wire(served, GO_PATH, accept, "identity")
    first = await _wire(served, GO_PATH, accept, coding.value)
    second = await _wire(served, GO_PATH, accept, coding.value)
    assert first.headers["content-encoding"] == coding.value
    assert first.content == second.content
    assert len(first.content) < len(plain.content)
    assert first.headers["content-length"] == str(len(first.content))
    assert decompress(first.content, coding) == plain.content


async def test_a_small_answer_is_not_compressed(served: Served) -> None:
    response = await served.get(CORE_PATH, accept_encoding="gzip")
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form['accept']} {form['accept_encoding']}")
async def test_a_copy_that_is_still_good_is_not_sent_again(served: Served, form: dict[str, str]) -> None:
    first = await served.get(GO_PATH, **form)
    again = await served.get(GO_PATH, **form, if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for name in ("vary", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "content-type" not in again.headers


async def test_a_304_comes_before_the_cache(served: Served) -> None:
    etag = (await served.get(CORE_PATH)).headers["etag"]
    served.library.memory.clear()
    assert (await served.get(CORE_PATH, if_none_match=etag)).status_code == 304
    assert len(served.library.memory) == 0


async def test_a_304_needs_no_earlier_read_in_this_process(library: Path) -> None:
    async with serving(library) as served:
        etag = (await served.get(CORE_PATH)).headers["etag"]
    async with serving(library) as served:
        assert (await served.get(CORE_PATH, if_none_match=f'"other", {etag}')).status_code == 304


@pytest.mark.parametrize("tag", ['"other"', 'W/"other"', "garbage", '""'])
async def test_a_copy_of_another_content_is_replaced(served: Served, tag: str) -> None:
    for _ in range(2):
        assert (await served.get(CORE_PATH, if_none_match=tag)).status_code == 200


async def test_a_date_revalidates_too_unless_there_is_a_tag(served: Served) -> None:
    date = (await served.get(CORE_PATH)).headers["last-modified"]
    assert (await served.get(CORE_PATH, if_modified_since=date)).status_code == 304
    assert (await served.get(CORE_PATH, if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT")).status_code == 200
    assert (await served.get(CORE_PATH, if_modified_since="garbage")).status_code == 200
    both = await served.get(CORE_PATH, if_modified_since=date, if_none_match='"other"')
    assert both.status_code == 200


async def test_an_etag_survives_a_restart_and_changes_with_the_content(library: Path) -> None:
    async with serving(library) as served:
        before = (await served.get(CORE_PATH)).headers["etag"]
    os.utime(library / "sdlc-core.md", (0, 0))
    async with serving(library, rescan_s=0.05) as served:
        assert (await served.get(CORE_PATH)).headers["etag"] == before
        replace(library / "sdlc-core.md", "# New\n")

        async def changed() -> httpx.Response | None:
            response = await served.get(CORE_PATH, if_none_match=before)
            return response if response.status_code == 200 else None

        assert (await eventually(changed)).json()["content"] == "# New\n"


RANGES = [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=1-999999", 1, None)]


@pytest.mark.parametrize(("wanted", "start", "end"), RANGES)
async def test_a_part_of_the_raw_document_is_sent(
    served: Served, wanted: str, start: int, end: int | None
) -> None:
    for _ in range(2):
        response = await served.get(GO_PATH, accept="text/*", accept_encoding="gzip", range=wanted)
        part = GO_CORE.encode()[start:end]
        assert (response.status_code, response.content) == (206, part)
        first = GO_CORE.encode().index(part) if start < 0 else start
        assert response.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(GO_CORE)}"
        assert response.headers["content-length"] == str(len(part))
        assert "content-encoding" not in response.headers


async def test_a_range_of_a_picture_is_sent(served: Served) -> None:
    response = await served.get(PIXEL_PATH, accept="image/png", range="bytes=0-3")
    assert (response.status_code, response.content) == (206, PIXEL[:4])


async def test_a_range_beyond_the_end_is_told_with_the_size(served: Served) -> None:
    response = await served.get(CORE_PATH, accept="text/*", range="bytes=5000-")
    problem(response, 416)
    assert response.headers["content-range"] == f"bytes */{len(CORE)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=1-2", "bytes=9-1", "garbage"])
async def test_a_range_that_makes_no_sense_is_passed_over(served: Served, wanted: str) -> None:
    response = await served.get(CORE_PATH, accept="text/*", range=wanted)
    assert (response.status_code, response.text) == (200, CORE)


async def test_an_envelope_has_no_ranges(served: Served) -> None:
    response = await served.get(GO_PATH, range="bytes=0-1")
    assert (response.status_code, response.json()["content"]) == (200, GO_CORE)
    assert "accept-ranges" not in response.headers


async def test_a_part_is_only_sent_for_the_copy_that_the_client_has(served: Served) -> None:
    whole = await served.get(CORE_PATH, accept="text/*")
    assert whole.headers["accept-ranges"] == "bytes"
    for held, status in (
        (whole.headers["etag"], 206),
        (whole.headers["last-modified"], 206),
        ('"other"', 200),
        (f"W/{whole.headers['etag']}", 200),
    ):
        response = await served.get(CORE_PATH, accept="text/*", range="bytes=0-1", if_range=held)
        assert response.status_code == status


@pytest.mark.parametrize(
    "path", [CORE_PATH, f"{CORE_PATH}?format=raw", "/mcp/resources", "/healthz", "/openapi.json"]
)
async def test_head_answers_as_get_does_without_the_body(served: Served, path: str) -> None:
    await served.get(path)
    get, head = await served.get(path), await served.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(get.headers)


async def test_head_revalidates(served: Served) -> None:
    etag = (await served.get(CORE_PATH)).headers["etag"]
    assert (await served.client.head(CORE_PATH, headers={"if-none-match": etag})).status_code == 304


@pytest.mark.parametrize(
    "path", [CORE_PATH, "/mcp/resources", "/healthz", "/readyz", "/metrics", "/openapi.json"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_another_method_is_told_which_there_are(served: Served, path: str, method: str) -> None:
    response = await served.client.request(method, path)
    problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


async def test_a_resource_that_is_not_there_is_told_with_the_nearest_names(served: Served) -> None:
    document = problem(await served.get("/mcp/resources/sdlc/cor"), 404)
    assert document["detail"].startswith("Resource not found: mcp://resources/sdlc/cor.")
    assert document["uri"] == "mcp://resources/sdlc/cor"
    assert document["nearest"][0] == "mcp://resources/sdlc/core"
    assert document["title"] == "Resource not found"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a//b",
        "sdlc/core/",
        "a%00b",
        "a%0Ab",
        "a%5Cb",
        "a;b",
        "a%3Bb",
        "%2e%2e/secret",
        "a/%2e/b",
        "a%CC%88",
        "a%E2%80%AEb",
        "a" * 256,
        "/".join(["a" * 200] * 11),
        "mcp:/resources%40evil/x",
        "1:/x",
        "test:/a%2520b",
    ],
)
async def test_a_path_that_no_resource_can_have_is_refused(served: Served, path: str) -> None:
    problem(await served.client.request("GET", httpx.URL(f"/mcp/resources/{path}")), 400)


async def test_no_error_names_a_path_of_the_machine(served: Served) -> None:
    for path in ("sdlc/cor", "a%00b", "files/none.md", f"files{served.root}/sdlc-core.md"):
        response = await served.get(f"/mcp/resources/{path}")
        assert str(served.root.parent) not in response.text.replace(path, "")


@pytest.mark.parametrize("query", ["format=xml", "format=", "format=RAW", "format=%ff", "a=1&" * 20])
async def test_a_query_that_makes_no_sense_is_refused(served: Served, query: str) -> None:
    problem(await served.get(f"{CORE_PATH}?{query}"), 400)


async def test_what_cannot_be_sent_is_not_acceptable(served: Served) -> None:
    problem(await served.get(CORE_PATH, accept="image/gif"), 406)


async def test_accept_may_come_in_several_lines(served: Served) -> None:
    """Lines of one name are one list (RFC 9110, section 5.3)."""
    lines = [("accept", "image/gif"), ("accept", "text/*")]
    response = await served.client.get(CORE_PATH, headers=lines)
    assert response.text == CORE


async def test_an_unreadable_document_is_an_error_that_names_no_path(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        source.error = EIO
        document = problem(await served.get(CORE_PATH), 500)
        assert document["uri"] == "mcp://resources/sdlc/core"
        assert "sdlc-core.md" not in json.dumps(document)


async def test_the_last_good_content_is_marked(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, cache_ttl_s=0.001) as served:
        await served.get(CORE_PATH)
        source.error = EIO

        async def stale() -> httpx.Response | None:
            response = await served.get(CORE_PATH)
            return response if response.headers["x-cache"] == "stale" else None

        response = await eventually(stale)
        assert (response.status_code, response.json()["content"]) == (200, CORE)
        assert response.headers["warning"] == '110 - "Response is Stale"'
        assert 'mcp_resource_stale_reads_total{resource_type="sdlc"} 1.0' in await served.metrics()


async def _walk(served: Served, limit: int, type_: str = "") -> list[dict[str, Any]]:
    """Walk all pages of the listing."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = (
            f"limit={limit}" + (f"&cursor={cursor}" if cursor else "") + (f"&type={type_}" if type_ else "")
        )
        page = (await served.get(f"/mcp/resources?{query}")).json()
        assert len(page["resources"]) <= limit
        found += page["resources"]
        if "nextCursor" not in page:
            assert page["total"] == len(found)
            return found
        cursor = page["nextCursor"]


@pytest.mark.parametrize("limit", [1, 2, 5, MAX_LIMIT])
async def test_the_pages_of_the_listing_hold_every_resource_once(served: Served, limit: int) -> None:
    uris = [item["uri"] for item in await _walk(served, limit)]
    assert uris == sorted(
        [
            "mcp://resources/sdlc/core",
            "mcp://resources/patterns/go/core",
            "mcp://resources/patterns/python/core",
            "mcp://resources/templates/prd-template",
            "mcp://resources/files/images/pixel.png",
        ]
    )


async def test_every_listed_resource_is_read_at_its_href(served: Served) -> None:
    for item in await _walk(served, 2):
        document = (await served.get(item["href"])).json()
        for name in ("uri", "name", "title", "description", "type", "mimeType", "size", "lastModified"):
            assert document[name] == item[name]


async def test_the_listing_is_filtered_by_type(served: Served) -> None:
    assert {item["type"] for item in await _walk(served, 1, "pattern")} == {"pattern"}
    document = problem(await served.get("/mcp/resources?type=nothing"), 400)
    assert document["types"] == ["sdlc", "pattern", "template", "file"]


async def test_a_page_outlives_what_it_ended_with(library: Path) -> None:
    async with serving(library, watch=False, rescan_s=0.05) as served:
        page = (await served.get("/mcp/resources?limit=1")).json()
        (library / "images/pixel.png").unlink()
        await eventually(lambda: served.library.catalog.count() == 4)
        rest = (await served.get(f"/mcp/resources?cursor={page['nextCursor']}")).json()
        assert len(rest["resources"]) == 4


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "", "1.5", "1e2", "²", "٣", "9" * 5000])
async def test_another_limit_is_refused(served: Served, limit: str) -> None:
    problem(await served.client.get("/mcp/resources", params={"limit": limit}), 400)


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "a" * 5000, "é"])
async def test_another_cursor_is_refused(served: Served, cursor: str) -> None:
    document = problem(await served.client.get("/mcp/resources", params={"cursor": cursor}), 400)
    assert document["title"] == "Invalid cursor"


ODD_NAMES = [
    "a b.md",
    "a%20b.md",
    "100%.md",
    "ä.md",
    "a+b.md",
    "a&b=c.md",
    "what?.md",
    "no#1.md",
    "a%2Fb.md",
    "[x].md",
]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_every_name_is_served_at_its_href_and_its_uri(tmp_path: Path, name: str) -> None:
    """All of them are there at once, so that one taken for another shows."""
    async with serving(plant(tmp_path, {each: f"I am {each}" for each in ODD_NAMES})) as served:
        (item,) = [item for item in await _walk(served, 100) if item["name"] == f"files/{name}"]
        for href in (item["href"], f"{item['href']}?x=1"):
            assert await served.text(href) == f"I am {name}"


async def test_a_uri_of_another_scheme_has_its_scheme_in_the_path(tmp_path: Path) -> None:
    rules = '[[collection]]\ntype = "x"\nuri = "test://{name}/data"\nfiles = "{name}.txt"\n'
    rules += '[[collection]]\ntype = "y"\nuri = "test://only"\nfiles = "b.md"\n'
    async with serving(plant(tmp_path, {"choirbook.toml": rules, "a.txt": "A", "b.md": "B"})) as served:
        assert await served.text("/mcp/resources/test:/a/data") == "A"
        assert await served.text("/mcp/resources/test:/only") == "B"
        for item in await _walk(served, 10):
            assert path_of(item["uri"]) == item["href"]
            assert (await served.get(item["href"])).json()["uri"] == item["uri"]


async def test_only_what_was_found_is_served(library: Path) -> None:
    plant(
        library,
        {".hidden.md": "secret", ".git/config": "secret", "drafts/a.md": "x", ".choirbookignore": "drafts/"},
    )
    (library.parent / "outside.md").write_text("secret")
    (library / "link.md").symlink_to("../outside.md")
    async with serving(library) as served:
        for path in (
            ".hidden.md",
            ".git/config",
            "drafts/a.md",
            "link.md",
            "choirbook.toml",
            ".choirbookignore",
        ):
            problem(await served.get(f"/mcp/resources/files/{path}"), 404)


async def test_reads_beyond_those_that_may_wait_are_told_to_come_again(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source, max_waiting_reads=2) as served:
        warm = asyncio.create_task(served.get("/mcp/resources/patterns/core"))
        await eventually(lambda: source.reads == 1)
        waiting = asyncio.create_task(served.get("/mcp/resources/sdlc/core"))
        await eventually(lambda: source.reads == 2)
        refused = await served.get("/mcp/resources/templates/prd-template")
        assert (refused.status_code, refused.json()["title"]) == (503, "Too busy")
        assert refused.headers["retry-after"] == "2"
        assert (await handshake(served, "resources/read", uri="mcp://resources/sdlc/core")).status_code == 503
        source.gate.set()
        assert [(await task).status_code for task in (warm, waiting)] == [200, 200]
        assert (await served.get("/mcp/resources/templates/prd-template")).status_code == 200
        assert 'mcp_resource_failed_reads_total{reason="Overloaded"} 2.0' in await served.metrics()


async def test_a_hit_is_answered_however_many_reads_wait(library: Path) -> None:
    source = SlowSource(library)
    source.gate.set()
    async with serving(library, source=source, max_waiting_reads=1) as served:
        await served.get("/mcp/resources/sdlc/core")
        source.gate.clear()
        waiting = asyncio.create_task(served.get("/mcp/resources/patterns/core"))
        await eventually(lambda: source.reads == 2)
        assert (await served.get("/mcp/resources/sdlc/core")).headers["x-cache"] == "hit"
        source.gate.set()
        assert (await waiting).status_code == 200
