"""Periodic polling of a server, until stopped."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.live import Live

from choirbook.cli.output import console, say_json_line
from choirbook.cli.top.figures import Figures, figures
from choirbook.cli.top.scraper import Scraper
from choirbook.cli.top.screen import screen
from choirbook.errors import CommandError
from choirbook.observe.figures import Sample

WINDOW_S = 60.0
"""Time window of quantiles and rates, in seconds: a few seconds of a quiet server have too few reads."""

_PIPE_WIDTH = 100


def watch(url: str, interval_s: float, *, once: bool, as_json: bool) -> None:
    """Show a server until Ctrl-C, or once.

    Args:
        url: Address of the server.
        interval_s: Interval between two polls, in seconds.
        once: Poll twice, show the difference, and end.
        as_json: Print a JSON line each time.

    Raises:
        InvalidSettings: The URL is invalid.
        CommandError: The server cannot be polled; on a screen only if this is so from the start.
    """
    scraper = Scraper(url)
    seen = deque([scraper.scrape()])
    with _terminable():
        if as_json:
            for now in _samples(scraper, seen, interval_s, once=once):
                say_json_line(figures(seen[0], now))
        elif once or not sys.stdout.isatty():
            now = next(_samples(scraper, seen, interval_s, once=True))
            console(pipe_width=_PIPE_WIDTH).print(screen(scraper.url, figures(seen[0], now)))
        else:
            _watch_live(scraper, seen, interval_s)


def _samples(scraper: Scraper, seen: deque[Sample], interval_s: float, *, once: bool) -> Iterator[Sample]:
    while True:
        time.sleep(interval_s)
        yield _look(scraper, seen)
        if once:
            return


def _look(scraper: Scraper, seen: deque[Sample]) -> Sample:
    """Poll once more, and drop snapshots older than the window."""
    now = scraper.scrape()
    seen.append(now)
    while now.at_s - seen[0].at_s > WINDOW_S and len(seen) > 2:  # noqa: PLR2004 # two make figures
        seen.popleft()
    return now


def _watch_live(scraper: Scraper, seen: deque[Sample], interval_s: float) -> None:
    shown: Figures = figures(seen[0], seen[0])
    live = Live(screen(scraper.url, shown), console=console(), screen=True, auto_refresh=False)
    try:
        # Interrupted half-way, it would leave the terminal on the alternate screen, without a cursor.
        with _undisturbed():
            live.start(refresh=True)
        while True:
            time.sleep(interval_s)
            trouble = None
            try:
                shown = figures(seen[0], _look(scraper, seen))
            except CommandError as error:
                # A server that is restarted will soon answer again.
                trouble = f"{error.message} Retrying; the figures shown are the last received."
            live.update(screen(scraper.url, shown, trouble), refresh=True)
    finally:
        with _undisturbed():
            live.stop()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Delay signals inside this context."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _terminable() -> Iterator[None]:
    """Treat Ctrl-C and SIGTERM as normal ends."""

    def end(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # The reader has closed the pipe. Buffered output must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        signal.signal(signal.SIGTERM, before)
