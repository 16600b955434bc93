"""The method table of each era, put together from the features."""

from __future__ import annotations

from collections.abc import Iterable

from carrel.errors import Era, MethodNotFound
from carrel.mcp.protocol import Call
from carrel.mcp.results import Feature, Method, Outcome


class Methods:
    """The methods of both eras."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self._tables: dict[Era, dict[str, Method]] = {era: {} for era in Era}
        for feature in features:
            for era, table in self._tables.items():
                table.update(feature.methods(era))

    def call(self, call: Call) -> Outcome:
        """Carry out a request.

        Raises:
            RequestError: What the client is to be told; a coroutine may raise it as well.
        """
        method = self._tables[call.era].get(call.method)
        if method is None:
            raise MethodNotFound(
                f"There is no method {call.method[:64]!r} here. "
                f"The methods are: {', '.join(self._tables[call.era])}."
            )
        return method(call)
