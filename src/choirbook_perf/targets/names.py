"""Names of resources in scenarios, and their URIs, paths and types. Pure."""

from __future__ import annotations

from urllib.parse import quote

from choirbook_perf.targets.replies import UNKNOWN

_HTTP_PREFIX = "/mcp/resources/"
_URI_PREFIX = "mcp://resources/"
_TYPES = {"sdlc": "sdlc", "patterns": "pattern", "templates": "template", "files": "file"}


def uri_of(name: str) -> str:
    """Return the URI of a resource as a scenario names it."""
    if "://" in name:
        return name
    return _URI_PREFIX + name.removeprefix(_HTTP_PREFIX)


def path_of(name: str) -> str:
    """Return the HTTP path of a resource as a scenario names it."""
    if name.startswith("/"):
        return name
    return _HTTP_PREFIX + quote(name.removeprefix(_URI_PREFIX))


def resource_type(address: str) -> str:
    """Return the type of a resource by its URI or path, `unknown` outside of Choirbook's layout."""
    for prefix in (_URI_PREFIX, _HTTP_PREFIX):
        if address.startswith(prefix):
            return _TYPES.get(address.removeprefix(prefix).partition("/")[0], UNKNOWN)
    return UNKNOWN
