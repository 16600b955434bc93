"""HTTP routes and their handlers."""

from __future__ import annotations

from choirbook.dashboard.routes import BELOW, DASHBOARD, Dashboard
from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.exchange import Handler
from choirbook.http.introspection import Introspection
from choirbook.http.proxies import Proxies
from choirbook.http.rest import LISTING, PREFIX, Rest
from choirbook.http.router import Router, Subtree, get_only
from choirbook.http.search import SEARCH, SearchRoute
from choirbook.http.welcome import Welcome
from choirbook.library.library import Library
from choirbook.mcp.streamable_http import ENDPOINT, StreamableHttp
from choirbook.search.service import SearchService
from choirbook.settings import Settings


def make_router(
    settings: Settings,
    library: Library,
    search: SearchService,
    streamable: StreamableHttp,
    introspection: Introspection,
    dashboard: Dashboard | None,
    proxies: Proxies,
) -> Router:
    """Create the router.

    Args:
        settings: See `Settings`: allowed hosts and origins, and whether metrics are served.
        library: Library to read from.
        search: Search of the library.
        streamable: Endpoint of MCP.
        introspection: Health, readiness, metrics and OpenAPI.
        dashboard: The dashboard; None if it is disabled.
        proxies: Return the path and scheme under which clients reach the server.
    """
    rest = Rest(library, proxies.prefix_of)
    routes: dict[str, Handler] = {
        LISTING: get_only(rest.list),
        SEARCH: get_only(SearchRoute(search, proxies.prefix_of).respond),
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
    version = library.stamp.server_info["version"]
    welcome = Welcome(library.catalog.rules.name, version, proxies, _links(routes))
    routes["/"] = get_only(welcome.respond)
    allowed_hosts = AllowedHosts(settings.allowed_hosts, settings.allowed_origins)
    # Clients and proxies add the slash.
    aliases = {f"{ENDPOINT}/": ENDPOINT}
    return Router(allowed_hosts, routes, Subtree(PREFIX, rest.read), further, aliases)


_TITLES = {
    DASHBOARD: "dashboard: figures, documents, readers",
    LISTING: "list of all documents",
    "/openapi.json": "description of the HTTP API",
    "/readyz": "whether the server is ready",
    "/metrics": "Prometheus metrics",
}


def _links(routes: dict[str, Handler]) -> dict[str, str]:
    return {path: title for path, title in _TITLES.items() if path in routes}
