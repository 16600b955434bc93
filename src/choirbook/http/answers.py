"""Go on from an answer that has to be awaited. Pure.

An answer is either a value or a coroutine of one (see `http/exchange`). `then` makes a function of the value
serve for the coroutine too, so that no function needs a twin that awaits. It costs some calls and a closure,
so a cached read never comes here: its answer is a value, and a branch passes that on directly.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from choirbook.errors import RequestError

_Value = TypeVar("_Value")
_Next = TypeVar("_Next")


def then(
    answer: Coroutine[Any, Any, _Value],
    follow: Callable[[_Value], _Next | Coroutine[Any, Any, _Next]],
    failed: Callable[[RequestError], _Next] | None = None,
) -> Coroutine[Any, Any, _Next]:
    """Return what a function makes of an answer, once that was awaited.

    Args:
        answer: Has to be awaited.
        follow: Takes its value; returns another answer, which may have to be awaited too.
        failed: Takes a `RequestError` that waiting or `follow` ended in, and returns the value to give
            instead; None lets the error through.
    """
    return _Following(answer, _follow(answer, follow, failed))


async def _follow(
    answer: Coroutine[Any, Any, _Value],
    follow: Callable[[_Value], _Next | Coroutine[Any, Any, _Next]],
    failed: Callable[[RequestError], _Next] | None,
) -> _Next:
    try:
        outcome = follow(await answer)
        return await outcome if isinstance(outcome, Coroutine) else outcome
    except RequestError as error:
        if failed is None:
            raise
        return failed(error)


class _Following(Coroutine[Any, Any, _Next]):
    """A coroutine that also closes the one it waits for.

    A request that is refused its wait is closed before it began (`servers/request_limits`). A plain coroutine
    would leave the inner one behind, which Python reports on stderr as never awaited.
    """

    __slots__ = ("_answer", "_steps")

    def __init__(self, answer: Coroutine[Any, Any, Any], steps: Coroutine[Any, Any, _Next]) -> None:
        self._answer = answer
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, _Next]:
        return self._steps.__await__()

    def send(self, value: Any) -> Any:
        """Run to the next wait."""
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error where it waits."""
        return self._steps.throw(*error)

    def close(self) -> None:
        """End it, and what it waits for."""
        self._steps.close()
        self._answer.close()
