"""The routes over HTTP, and who answers them."""

from __future__ import annotations

from carrel.dashboard.routes import BELOW, DASHBOARD, Dashboard
from carrel.http.edge import Edge
from carrel.http.introspection import Introspection
from carrel.http.rest import LISTING, PREFIX, Rest
from carrel.http.router import Router, Subtree, get_only
from carrel.http.search import SEARCH, SearchRoute
from carrel.library import Library
from carrel.mcp.streamable import ENDPOINT, StreamableHttp
from carrel.search.searching import Search
from carrel.settings import Settings


def make_router(
    settings: Settings,
    library: Library,
    search: Search,
    streamable: StreamableHttp,
    introspection: Introspection,
    dashboard: Dashboard | None,
) -> Router:
    """Make the router.

    Args:
        settings: Which say who may talk to the server, and whether it shows its metrics.
        library: What is read.
        search: What is searched.
        streamable: The protocol's endpoint.
        introspection: What the server tells of itself.
        dashboard: The page for people; None where there is none.
    """
    rest = Rest(library)
    routes = {
        LISTING: get_only(rest.list),
        SEARCH: get_only(SearchRoute(search).respond),
        ENDPOINT: streamable.respond,
        "/healthz": get_only(introspection.healthz),
        "/readyz": get_only(introspection.readyz),
        "/openapi.json": get_only(introspection.openapi),
    }
    if settings.metrics:
        routes["/metrics"] = get_only(introspection.metrics)
    further = []
    if dashboard is not None:
        routes[DASHBOARD] = dashboard.respond
        further.append(Subtree(BELOW, dashboard.respond))
    edge = Edge(settings.allowed_hosts, settings.allowed_origins)
    return Router(edge, routes, Subtree(PREFIX, rest.read), further)
