"""Problems of a server that does not answer as expected, in words. Pure."""

from __future__ import annotations

from http import HTTPStatus

from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.http_client import Response
from choirbook_perf.targets import decode_reply

_MCP_HINT = "Pass the URL of an MCP endpoint, such as http://127.0.0.1:8000/mcp, or use --protocol http."


def problem_of(response: Response, url: str) -> ServerUnreachable | None:
    """Return what keeps a server from answering anything at all, None if the response does not show it.

    Args:
        response: Response of the server.
        url: URL that was asked.
    """
    status = response.status
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
        return _unauthorized(response, url)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServerUnreachable(
            f"{url} responds {_named(status)}{_said(response)}. See the log of the server."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ServerUnreachable(
            f"{url} responds {_named(status)}. Raise the limit of the server for this load."
        )
    return None


def mcp_problem_of(response: Response, url: str) -> ServerUnreachable:
    """Return why a response is not one of an MCP server."""
    if problem := problem_of(response, url):
        return problem
    reply = decode_reply(response.headers, response.body)
    if reply is not None and reply.error is not None:
        return ServerUnreachable(
            f"{url} refuses the request: JSON-RPC error {reply.error.code}: {reply.error.message}. Choose "
            "another --era, or see the log of the server."
        )
    status = response.status
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.METHOD_NOT_ALLOWED}:
        return ServerUnreachable(
            f"{url}: the server has no such path (responds {_named(status)}). {_MCP_HINT}"
        )
    kind = str(response.headers.get("content-type", "") or "no content type").partition(";")[0]
    return ServerUnreachable(f"{url} is not an MCP server: it responds {_named(status)}, {kind}. {_MCP_HINT}")


def _unauthorized(response: Response, url: str) -> ServerUnreachable:
    scheme = str(response.headers.get("www-authenticate", "") or "").partition(" ")[0]
    wanted = f" with scheme {scheme}" if scheme.isalnum() else ""
    return ServerUnreachable(
        f"{url} requires authorization{wanted} (responds {_named(response.status)}). Pass a header such as "
        "'Authorization: Bearer TOKEN' with --header-file FILE; if one was passed, it was not accepted."
    )


def _said(response: Response) -> str:
    reply = decode_reply(response.headers, response.body)
    return f": {reply.error.message}" if reply is not None and reply.error is not None else ""


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
