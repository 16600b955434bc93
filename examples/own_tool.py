"""A tool of your own beside those of Choirbook: which documents changed last.

Run it from the root of a checkout, and connect an agent to http://127.0.0.1:8000/mcp:

    uvicorn examples.own_tool:app

Tools only read: Choirbook tells clients so of each of them.
"""
# ruff: noqa: INP001 - a file to copy from, not a package

from typing import Annotated

import msgspec

from choirbook import Library, create_app
from choirbook.errors import Era, InvalidParams
from choirbook.mcp.results import Outcome, finish
from choirbook.mcp.tools.tool import Arguments, Tool, described, members

MOST = 50


class RecentArguments(Arguments, frozen=True):
    """Arguments of a call; they are decoded and checked before the tool is called."""

    count: Annotated[int, described("How many documents.", minimum=1, maximum=MOST)] = 10


class Recent(msgspec.Struct, frozen=True):
    """Result of a call, beside the text for the model."""

    uris: list[str]


def recent_tool(library: Library) -> Tool:
    """Create the tool."""

    def call(arguments: RecentArguments, era: Era) -> Outcome:
        if not 1 <= arguments.count <= MOST:
            # The model sees this message, and can correct its call.
            raise InvalidParams(f"count is {arguments.count}. It must be from 1 to {MOST}.")
        catalog = library.catalog
        infos = sorted(catalog.page(None, len(catalog)).infos, key=lambda info: -info.modified_ns)
        found = infos[: arguments.count]
        text = "\n".join(f"{info.title}: {info.uri}" for info in found)
        body = members(text, Recent([info.uri for info in found]), found)
        return finish(body, era, library.stamp, cacheable=False)

    return Tool(
        name="recent",
        title="Recent documents",
        description="List the documents of the team's library that changed last, the newest first.",
        arguments=RecentArguments,
        output=Recent,
        call=call,
    )


app = create_app(tools=[recent_tool])
