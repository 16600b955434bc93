"""The server of `tests.perf.sdk_server` behind a token and, with a certificate, TLS.

Run as `python -m ... TOKEN [CERTIFICATE KEY]`.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.perf.sdk_server import make_app


def _guarded(app: ASGIApp, token: str) -> ASGIApp:
    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        wanted = (b"authorization", f"Bearer {token}".encode())
        if scope["type"] != "http" or wanted in scope["headers"]:
            await app(scope, receive, send)
            return
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return guard


def main() -> None:
    """Serve on a port that the system chooses, until a signal."""
    token, *tls = sys.argv[1:]
    certificate, key = tls or (None, None)
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if certificate else "http"
    print(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    app = _guarded(make_app(is_plain=False), token)
    config = uvicorn.Config(app, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
