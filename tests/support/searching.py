"""Searches of an app in this process, and a document to find."""

from choirbook.search.results import Hit
from tests.support.apps import Served

GUIDE = "# Guide\n\n## Fixtures\n\nA fixture gives a test what it needs: zebra.\n\n## Other\n\nNothing.\n"
GUIDE_URI = "mcp://resources/patterns/python/guide"


async def hits(served: Served, query: str, type_: str | None = None) -> list[Hit]:
    results = await served.app.search.search(query, type_)
    return list(results.hits)


async def uris(served: Served, query: str) -> list[str]:
    return [hit.uri for hit in await hits(served, query)]
