"""Choirbook whose every request costs more processor time by a set amount: a slowdown of known size.

Run as a program by `benchmarks.ab_pool`. The extra work is a loop of the interpreter, like the rest of a
request: a change of the clock's speed changes both alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from choirbook import Settings, create_app
from choirbook.servers.granian import server as granian_server
from choirbook.servers.granian.sockets import listen


class Burdened:
    """An app before which each request runs a loop.

    Args:
        app: The app.
        loops: Number of times that the loop runs; 0 for the app as it is.
    """

    def __init__(self, app: Any, loops: int) -> None:
        self._app = app
        self._serve = app.__rsgi__
        self._range = range(loops)

    def __rsgi_init__(self, loop: Any) -> None:
        """Start the app."""
        self._app.__rsgi_init__(loop)

    def __rsgi_del__(self, loop: Any) -> None:
        """Stop the app."""
        self._app.__rsgi_del__(loop)

    def __rsgi__(self, scope: Any, protocol: Any) -> Any:
        """Answer one request, after the loop."""
        for _ in self._range:
            pass
        return self._serve(scope, protocol)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loops", type=int, default=0)
    parser.add_argument("library", type=Path)
    options = parser.parse_args()
    sockets = listen("127.0.0.1", options.port, 1)
    settings = Settings(root=options.library, port=options.port)

    def load_app() -> Burdened:
        # In the worker: threads of the app would not survive the fork.
        return Burdened(create_app(settings), options.loops)

    granian_server.run(granian_server.make_server("burdened", sockets), load_app)


if __name__ == "__main__":
    main()
