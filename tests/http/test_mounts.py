"""Paths of the server for clients: below a mount, below a proxy's prefix, and with a slash at the end."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.apps import BASE, Served, application, serving
from tests.support.servers import message

PROXY = "127.0.0.1"
OUTLINE = "/mcp/resources/sdlc/core?format=outline"


def hrefs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["href"]] if "href" in value else []
        return own + [href for each in value.values() for href in hrefs(each)]
    return [href for each in value for href in hrefs(each)] if isinstance(value, list) else []


async def linked(client: httpx.AsyncClient, below: str, **headers: str) -> list[str]:
    """Return the links of everything that has any."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found: list[str] = []
    for path in ("/mcp/resources", "/mcp/search?q=core", OUTLINE, "/"):
        kind = {"accept": "application/json"} if path == "/" else {}
        response = await client.get(below + path, headers={**named, **kind})
        assert response.status_code == 200, path
        links = hrefs(response.json())
        assert links, path
        found += links
    return found


async def test_links_begin_with_the_mount(library: Path) -> None:
    choirbook = await asyncio.to_thread(application, library)
    app = Starlette(routes=[Mount("/standards", choirbook)], lifespan=choirbook.lifespan)
    transport = httpx.ASGITransport(app)
    async with choirbook.lifespan(), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        links = await linked(client, "/standards")
        assert all(link.startswith("/standards/") for link in links)
        statuses = {(await client.get(link)).status_code for link in links if link != "/standards/mcp"}
        assert statuses == {200}
        description = (await client.get("/standards/openapi.json")).json()
        assert description["servers"] == [{"url": "/standards"}]


async def test_links_begin_with_the_prefix_of_a_trusted_proxy(library: Path) -> None:
    async with serving(library, trusted_proxies=(PROXY,)) as served:
        one = await linked(served.client, "", x_forwarded_prefix="/one")
        two = await linked(served.client, "", x_forwarded_prefix="/two/")
        none = await linked(served.client, "")
        assert [f"/one{link}" for link in none] == one
        assert [f"/two{link}" for link in none] == two
        described = await served.get("/openapi.json", x_forwarded_prefix="/one")
        assert described.json()["servers"] == [{"url": "/one"}]
        assert (await served.get("/openapi.json")).json()["servers"] == [{"url": "/"}]


async def test_outlines_of_two_prefixes_have_two_validators(library: Path) -> None:
    async with serving(library, trusted_proxies=(PROXY,)) as served:
        tags = {}
        for prefix in ("", "/one", "/two"):
            more = {"x_forwarded_prefix": prefix} if prefix else {}
            response = await served.get(OUTLINE, **more)
            tags[prefix] = response.headers["etag"]
            again = await served.get(OUTLINE, if_none_match=tags[prefix], **more)
            assert again.status_code == 304
        assert len(set(tags.values())) == 3
        crossed = await served.get(OUTLINE, if_none_match=tags["/two"], x_forwarded_prefix="/one")
        assert crossed.status_code == 200
        head = await served.client.head(OUTLINE, headers={"x-forwarded-prefix": "/one"})
        assert head.headers["etag"] == tags["/one"]


@pytest.mark.parametrize("prefix", ["/one", "//evil.example", "/../x", '/a"b=', "https://evil.example"])
async def test_nobody_else_says_where_the_server_is(library: Path, prefix: str) -> None:
    async with serving(library) as served:
        links = await linked(served.client, "", x_forwarded_prefix=prefix)
        assert all(link.startswith(("/mcp", "/openapi.json", "/readyz", "/metrics")) for link in links)


async def test_the_endpoint_may_have_a_slash_at_its_end(served: Served) -> None:
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        with_slash = await served.client.request(method, "/mcp/")
        without = await served.client.request(method, "/mcp")
        assert with_slash.status_code == without.status_code != 404
        assert with_slash.content == without.content
    ping = message("handshake", "ping")
    answers = [(await served.client.post(path, json=ping)).json() for path in ("/mcp", "/mcp/")]
    assert answers[0] == answers[1]
    assert "/mcp/," not in (await served.get("/nothing")).json()["detail"]


async def test_a_person_at_the_root_is_shown_a_page(library: Path) -> None:
    async with serving(library, dashboard=True) as served:
        page = await served.get("/", accept="text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        text = await served.get("/", accept="*/*")
        json = await served.get("/", accept="application/json")
        head = await served.client.head("/")
        posted = await served.client.post("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for link in ("/dashboard", "/readyz", "/openapi.json", "/mcp/resources"):
        assert f'<a href="{link}">' in page.text
    assert "claude mcp add --transport http choirbook http://127.0.0.1:8000/mcp" in page.text
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert "http://127.0.0.1:8000/mcp" in text.text
    assert json.json()["name"] == "choirbook"
    assert (head.status_code, head.content, posted.status_code) == (200, b"", 405)


async def test_the_page_names_no_dashboard_that_is_not_there(served: Served) -> None:
    assert "dashboard" not in (await served.get("/", accept="text/html")).text


async def test_behind_tls_the_page_names_the_address_that_clients_use(library: Path) -> None:
    async with serving(library, trusted_proxies=(PROXY,), allowed_hosts=("std.example",)) as served:
        page = await served.get("/", host="std.example", x_forwarded_proto="https", x_forwarded_prefix="/s")
    assert "https://std.example/s/mcp" in page.text


async def test_no_host_writes_markup_into_the_page(library: Path) -> None:
    async with serving(library) as served:
        page = await served.get("/", host="<b>.example", accept="text/html")
    assert page.status_code == 200
    assert "<b>" not in page.text


@pytest.mark.parametrize("prefix", ["//evil.example", "/../x", '/a"b=', "https://evil.example", "/x/" * 400])
async def test_a_prefix_that_is_no_path_counts_for_nothing(library: Path, prefix: str) -> None:
    async with serving(library, trusted_proxies=(PROXY,)) as served:
        assert await linked(served.client, "", x_forwarded_prefix=prefix) == await linked(served.client, "")
