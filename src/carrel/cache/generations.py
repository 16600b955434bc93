"""Whether messages were lost: each has a number, and Redis holds the last one. Pure.

Messages and the counter come over different connections, so one may be ahead of the other for a moment.
"""

from __future__ import annotations


class Generations:
    """The numbers that one listener has come across."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._apart: tuple[int, int] | None = None

    def begin(self, counter: int, *, is_news: bool) -> bool:
        """Take note of the counter as it was after subscribing.

        Args:
            counter: Its value.
            is_news: Whether anything was announced since this process began; counts the first time.

        Returns:
            Whether messages were lost since the listener last heard one.
        """
        lost = is_news if self._last is None else counter != self._last
        self._last, self._apart = counter, None
        return lost

    def hear(self, number: int) -> bool:
        """Take note of a message.

        Returns:
            Whether messages before it were lost.
        """
        last = self._last or 0
        # A lower one was counted by `begin` already; a counter that begins anew is found by `compare`.
        if number <= last:
            return False
        self._last = number
        return number > last + 1

    def compare(self, counter: int) -> bool:
        """Take note of the counter now and then.

        Returns:
            Whether messages were lost: the counter is elsewhere than the last message, and was the time
            before, and no message has come between.
        """
        last = self._last or 0
        apart = None if counter == last else (counter, last)
        lost = apart is not None and self._apart is not None and self._apart[1] == last
        if lost:
            self._last, apart = counter, None
        self._apart = apart
        return lost
