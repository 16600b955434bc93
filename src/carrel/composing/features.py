"""What of the protocol is spoken: features, and the tools of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from carrel.http.exchange import Operation
from carrel.http.peers import Peers
from carrel.library import Library
from carrel.mcp.completion import Completion
from carrel.mcp.lifecycle import Lifecycle
from carrel.mcp.prompts import Prompts
from carrel.mcp.resources import Resources
from carrel.mcp.results import Feature
from carrel.mcp.streams import Streams
from carrel.mcp.subscriptions import Subscriptions
from carrel.mcp.tools import Tools
from carrel.mcp.tools.listing import list_tool
from carrel.mcp.tools.outlining import outline_tool
from carrel.mcp.tools.reading import read_tool
from carrel.mcp.tools.searching import search_tool
from carrel.mcp.tools.tool import Tool
from carrel.search.searching import Search
from carrel.settings import Settings
from carrel.threads import Threads

INSTRUCTIONS = (
    "This server holds a team's engineering standards, coding patterns and document templates. "
    "List the resources, then read those that fit the task at hand before you write code or documents."
)
TOOLS_INSTRUCTIONS = (
    " A model that can only call tools does the same with search and read; "
    "read one section instead of a long document where that is enough."
)

ToolMaker = Callable[[Library], Tool]
"""Makes a tool over the library that is served."""

FeatureMaker = Callable[[Library], Feature]
"""Makes a feature over it. Its methods stand in for those of the same name."""


class Spoken(NamedTuple):
    """What is spoken, and what is told of it when it goes well."""

    features: list[Feature]
    operations: tuple[Operation, ...]
    """Of tools; methods are told of by the dispatcher."""


def make_features(
    settings: Settings,
    library: Library,
    search: Search,
    streams: Streams,
    threads: Threads,
    more_tools: Sequence[ToolMaker],
    more_features: Sequence[FeatureMaker],
    peers: Peers,
) -> Spoken:
    """Make the features.

    Args:
        settings: See `Settings`.
        library: Which is served.
        search: What the tool for searching asks.
        streams: Over which clients are told of changes.
        threads: Where blocking calls run.
        more_tools: Tools beside Carrel's own, also where those are switched off.
        more_features: Further parts of the protocol.
        peers: Tells whose share a stream is part of.

    Raises:
        ValueError: A tool's name is taken, or a client could not use its definition.
    """
    prompts = Prompts(library, threads, settings.page_size)
    features: list[Feature] = [
        Resources(library, settings.page_size),
        prompts,
        Completion(library, threads, prompts),
    ]
    own = _own_tools(library, search) if settings.tools else []
    tools = own + [make(library) for make in more_tools]
    operations: tuple[Operation, ...] = ()
    if tools:
        offered = Tools(tools, library, search.prepare if own else None)
        operations = offered.operations
        features.append(offered)
    features += [make(library) for make in more_features]
    pushing: list[Feature] = [Subscriptions(library, streams, peers)]
    instructions = INSTRUCTIONS + TOOLS_INSTRUCTIONS if own else INSTRUCTIONS
    lifecycle = Lifecycle(features, pushing, library.stamp, instructions)
    return Spoken([*features, *pushing, lifecycle], operations)


def _own_tools(library: Library, search: Search) -> list[Tool]:
    searching = search_tool(search, library.stamp)
    return [list_tool(library), searching, read_tool(library), outline_tool(library)]
