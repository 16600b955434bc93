"""Continuation of an answer that must be awaited. Pure.

An answer is either a value or a coroutine of one (see `http/exchange`). `then` applies a function of the
value to the coroutine, so that no function needs a second, awaiting version. It costs some calls and a
closure, so a cached read never comes here: its answer is a value, which a branch passes on directly.
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
    """Return a coroutine that awaits an answer, and then calls a function with its value.

    Args:
        answer: Coroutine of the answer.
        follow: Gets its value; returns another answer, ready or to be awaited.
        failed: Gets a `RequestError` of the answer or of `follow`, and returns the value to use instead; None
            raises the error.
    """
    return _ChainedCoroutine(answer, _follow(answer, follow, failed))


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


class _ChainedCoroutine(Coroutine[Any, Any, _Next]):
    """A coroutine that also closes the one it waits for.

    The coroutine of a rejected request is closed before it began (`servers/request_limits`). A plain
    coroutine would leave the inner one behind, which Python reports on stderr as never awaited.
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
        """Close it, and the coroutine that it waits for."""
        self._steps.close()
        self._answer.close()
