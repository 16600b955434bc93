"""Welcome page at `/` with connection instructions, as HTML, text, or JSON for programs. Pure."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape

import msgspec

from choirbook.http.exchange import Request, Response
from choirbook.http.negotiation import best_of
from choirbook.http.problems import NO_SNIFF, NO_STORE
from choirbook.http.proxies import Proxies

_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}\Z")

_STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 10vh auto; padding: 0 1.5rem;
  background: light-dark(#fff, #1e1c19); color: light-dark(#23211d, #ece8e0); overflow-wrap: anywhere }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .4rem }
p { margin: .3rem 0 } small { color: light-dark(#68635a, #a8a195) }
pre { background: light-dark(#f5f3ee, #2a2722); border-radius: 6px; padding: .8rem 1rem; margin: .5rem 0;
  white-space: pre-wrap; font: .875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
ul { padding: 0; margin: .4rem 0; list-style: none } li { margin: .25rem 0 }
a { color: light-dark(#1b6a50, #74c9a7) }
"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script, one style sheet identified by its digest, and links (https://www.w3.org/TR/CSP3/)."""

_KINDS = ("text/plain", "text/html", "application/json")


class Welcome:
    """The page at `/`.

    Args:
        library: Name of the library.
        version: Version of the server.
        proxies: Return the path and scheme under which a client reaches the server.
        links: Path -> description, beside the MCP endpoint.
    """

    def __init__(self, library: str, version: str, proxies: Proxies, links: dict[str, str]) -> None:
        self._library = library
        self._version = version
        self._proxies = proxies
        self._links = links

    def respond(self, request: Request) -> Response:
        """Answer `GET /`."""
        kind = best_of(", ".join(request.headers.get_all("accept")), _KINDS)
        prefix = self._proxies.prefix_of(request)
        host = request.headers.get("host") or ""
        base = f"{self._proxies.scheme_of(request)}://{host}{prefix}" if _HOST.match(host) else prefix
        headers = [("vary", "accept"), NO_STORE, NO_SNIFF, ("referrer-policy", "no-referrer")]
        if kind == "application/json":
            return Response(200, [("content-type", kind), *headers], self._json(prefix))
        headers.insert(0, ("content-type", f"{kind}; charset=utf-8"))
        if kind == "text/plain":
            return Response(200, headers, self._text(base).encode())
        headers += [("content-security-policy", _POLICY), ("cross-origin-resource-policy", "same-origin")]
        return Response(200, headers, self._page(base, prefix).encode())

    def _json(self, prefix: str) -> bytes:
        links = {"/mcp": "MCP endpoint (Streamable HTTP)", **self._links}
        return msgspec.json.encode(
            {
                "name": "choirbook",
                "version": self._version,
                "library": self._library,
                "links": [{"href": prefix + path, "title": title} for path, title in links.items()],
            }
        )

    def _text(self, base: str) -> str:
        width = max(map(len, self._links)) + len(base)
        links = "".join(f"  {base + path:{width}}  {title}\n" for path, title in self._links.items())
        return (
            f"Choirbook {self._version} serves {self._library} to coding agents, over MCP and HTTP.\n\n"
            f"Connect an agent\n  {base}/mcp\n  {_command(base)}\n\nRead\n{links}"
        )

    def _page(self, base: str, prefix: str) -> str:
        links = "".join(
            f'<li><a href="{escape(prefix + path)}">{escape(path)}</a> <small>{escape(title)}</small></li>'
            for path, title in self._links.items()
        )
        library = f'<bdi dir="auto">{escape(self._library)}</bdi>'
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>Choirbook: {escape(self._library)}</title><style>{_STYLE}</style></head><body><main>"
            f"<h1>{library}</h1><p>Served to coding agents by Choirbook {escape(self._version)}, "
            "over MCP and HTTP.</p><h2>Connect an agent</h2>"
            f"<p>The MCP endpoint is <code>{escape(base)}/mcp</code>. For Claude Code:</p>"
            f"<pre><code>{escape(_command(base))}</code></pre>"
            f"<h2>Read</h2><ul>{links}</ul></main></body></html>"
        )


def _command(base: str) -> str:
    return f"claude mcp add --transport http choirbook {base}/mcp"
