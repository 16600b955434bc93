"""Features of the protocol, and the tools of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from choirbook.http.exchange import Operation
from choirbook.http.peers import Peers
from choirbook.library.library import Library
from choirbook.mcp.completion import Completion
from choirbook.mcp.lifecycle import Lifecycle
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.prompts import Prompts
from choirbook.mcp.resources import Resources
from choirbook.mcp.results import Feature
from choirbook.mcp.subscriptions import Subscriptions
from choirbook.mcp.tools import Tools
from choirbook.mcp.tools.list import list_tool
from choirbook.mcp.tools.outline import outline_tool
from choirbook.mcp.tools.read import read_tool
from choirbook.mcp.tools.search import search_tool
from choirbook.mcp.tools.tool import Tool
from choirbook.runtime.threads import Threads
from choirbook.search.service import SearchService
from choirbook.settings import Settings

INSTRUCTIONS = (
    "This server holds a team's engineering standards, coding patterns and document templates. "
    "List the resources, then read those that fit the task at hand before you write code or documents."
)
TOOLS_INSTRUCTIONS = (
    " If you can only call tools, use search and read for this; read one section instead of a long "
    "document where that is enough."
)

ToolMaker = Callable[[Library], Tool]
"""Creates a tool for the served library."""

FeatureMaker = Callable[[Library], Feature]
"""Creates a feature for the served library. Its methods replace those of the same name."""


class OfferedFeatures(NamedTuple):
    """Features, and their operations as reported when they succeed."""

    features: list[Feature]
    operations: tuple[Operation, ...]
    """Operations of tools; the dispatcher reports methods."""


def make_features(
    settings: Settings,
    library: Library,
    search: SearchService,
    streams: OpenStreams,
    threads: Threads,
    more_tools: Sequence[ToolMaker],
    more_features: Sequence[FeatureMaker],
    peers: Peers,
) -> OfferedFeatures:
    """Create the features.

    Args:
        settings: See `Settings`.
        library: Library to serve.
        search: Search of the library.
        streams: Streams that notify clients of changes.
        threads: Run blocking calls.
        more_tools: Tools in addition to Choirbook's own, offered even if those are disabled.
        more_features: Further parts of the protocol.
        peers: Map requests to peers.

    Raises:
        ValueError: A tool's name is taken, or clients could not use its definition.
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
    return OfferedFeatures([*features, *pushing, lifecycle], operations)


def _own_tools(library: Library, search: SearchService) -> list[Tool]:
    searching = search_tool(search, library.stamp)
    return [list_tool(library), searching, read_tool(library), outline_tool(library)]
