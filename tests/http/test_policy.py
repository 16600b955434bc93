"""Documents are bytes to read, never pages of this server's origin."""

from pathlib import Path

import pytest

from tests.support.apps import serving

POLICY = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
SCRIPT = "<script>document.title='ran'</script>"
DOCUMENTS = {
    "page.html": f"<!doctype html><title>t</title>{SCRIPT}",
    "page.xhtml": f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{SCRIPT}</body></html>",
    "drawing.svg": f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>",
    "data.xml": "<?xml-stylesheet href='x'?><a/>",
    "notes.md": "# Notes\n\n## One\n\nText.\n\n" + "More text. " * 100,
}


def library_of(root: Path) -> Path:
    root.mkdir()
    for name, text in DOCUMENTS.items():
        (root / name).write_text(text)
    return root


def policy_of(response: object) -> dict[str, str]:
    headers = response.headers  # type: ignore[attr-defined]
    return {name: headers.get(name, "") for name in POLICY}


async def test_every_raw_response_has_the_policy(tmp_path: Path) -> None:
    async with serving(library_of(tmp_path / "library")) as served:
        listed = (await served.get("/mcp/resources")).json()["resources"]
        assert len(listed) == len(DOCUMENTS)
        for href in (each["href"] for each in listed):
            for coding in ("identity", "gzip", "br", "zstd"):
                for where in ("miss", "hit"):
                    response = await served.get(f"{href}?format=raw", accept_encoding=coding)
                    assert (response.status_code, policy_of(response)) == (200, POLICY), where
            etag = response.headers["etag"]
            assert policy_of(await served.client.head(f"{href}?format=raw")) == POLICY
            part = await served.get(f"{href}?format=raw", range="bytes=0-3")
            assert (part.status_code, policy_of(part)) == (206, POLICY)
            known = await served.get(f"{href}?format=raw", if_none_match=etag)
            assert known.status_code == 304
            assert {**policy_of(known), "x-content-type-options": "nosniff"} == POLICY


async def test_a_section_has_it_too(tmp_path: Path) -> None:
    async with serving(library_of(tmp_path / "library")) as served:
        response = await served.get("/mcp/resources/files/notes.md?section=one&format=raw")
        assert (response.status_code, policy_of(response)) == (200, POLICY)


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
async def test_an_envelope_is_json_that_no_browser_shows_as_a_page(tmp_path: Path, accept: str) -> None:
    async with serving(library_of(tmp_path / "library")) as served:
        response = await served.get("/mcp/resources/files/page.html", accept=accept)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"
