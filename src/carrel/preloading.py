"""Read a library ahead of its readers: `carrel serve --preload`.

One pass after the first survey, in the background, through `Library.read`: a reader who comes meanwhile
shares its flights. What changes or expires later is read on demand as ever. It never puts anything out of
the cache: what clients asked for is worth more than what nobody asked for yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from carrel.errors import RequestError
from carrel.library import Library
from carrel.model import Form, Reading, ResourceInfo, ServedFrom

log = logging.getLogger("carrel.preloading")

USUAL_FORMS = (Form.RAW, Form.JSON, Form.MCP_HANDSHAKE, Form.MCP_MODERN)
"""What nearly all clients ask for. Coded forms cost far more to make (`carrel stages`); few want them."""

GROWTH = 1.4
"""A form's bytes to a document's, at most as a rule: Base64 makes 4/3 of it, escaping text less."""


class Preloading:
    """One pass over a library.

    Args:
        library: What is read.
        finished: Called after the pass; the cache is fuller then than any reader has made it.
    """

    def __init__(self, library: Library, finished: Callable[[], None]) -> None:
        self._library = library
        self._finished = finished
        self._task: asyncio.Task[None] | None = None
        self.preloaded = 0
        """URIs of which every usual form was put into the cache, since the start."""

    @property
    def is_running(self) -> bool:
        """Whether the pass is not over yet."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._task = asyncio.create_task(self._run(), name="carrel-preload")

    async def stop(self) -> None:
        """End the pass."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self) -> None:
        """Wait until the pass is over."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        await self._library.freshness.ready.wait()
        infos = self._library.catalog.infos()
        for info in infos:
            if not self._has_room(info):
                log.warning(
                    "the cache is full: preloaded %d of %d. Raise CACHE_MAX_SIZE or CARREL_CACHE_MAX_BYTES.",
                    self.preloaded,
                    len(infos),
                )
                break
            self.preloaded += await self._preload(info)
            # A URI that readers had loaded already is passed without a wait; others get their turn here.
            await asyncio.sleep(0)
        self._finished()

    def _has_room(self, info: ResourceInfo) -> bool:
        return self._library.memory.has_room(len(USUAL_FORMS), int(info.size * GROWTH) * len(USUAL_FORMS))

    async def _preload(self, info: ResourceInfo) -> bool:
        """Read one URI; tells whether all went well."""
        for form in USUAL_FORMS:
            # Looked up for each form: the file may have changed, or gone, since the pass began.
            now = self._library.catalog.find(info.uri)
            if now is None:
                return False
            try:
                outcome = self._library.read(now, form)
                reading = outcome if isinstance(outcome, Reading) else await outcome
            except RequestError as error:
                log.warning("%s was not preloaded: %s", info.uri, error.message)
                return False
            if reading.served_from is ServedFrom.STALE:
                return False
        return True
