"""Preloading of a library into the cache: `choirbook serve --preload`, and `choirbook cache warm`.

A pass reads all URIs in the background, through `Library.read`: a reader who arrives meanwhile shares its
flights. Content that changes or expires later is read on demand as usual. Preloading never evicts anything:
content that clients requested is worth more than content that nobody requested yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic

from choirbook.errors import RequestError
from choirbook.library.library import Library
from choirbook.model import Form, Reading, ResourceInfo, ServedFrom
from choirbook.runtime.progress import Progress
from choirbook.runtime.tasks import end_tasks

log = logging.getLogger("choirbook.preload")

USUAL_FORMS = (Form.RAW, Form.JSON, Form.MCP_HANDSHAKE, Form.MCP_MODERN)
"""Forms that nearly all clients request. Compressed forms cost far more to make (`choirbook stages`), and
few clients want them."""

GROWTH = 1.4
"""Ratio of a form's size to its document's, usually at most: Base64 adds a third, escaping text adds less."""

_PASSED_AT_ONCE = 200
"""URIs to skip before other tasks get their turn."""


class Preloader:
    """Preloads a library, one pass at a time.

    Args:
        library: Library to read.
        finished: Called after each pass, as no read updates the metrics of the cache.
    """

    def __init__(self, library: Library, finished: Callable[[], None]) -> None:
        self._library = library
        self._finished = finished
        self._task: asyncio.Task[None] | None = None
        self._begin(0)

    @property
    def is_running(self) -> bool:
        """Whether a pass is under way."""
        return self._task is not None and not self._task.done()

    @property
    def preloaded(self) -> int:
        """Number of URIs that the last pass left in the cache, in every usual form."""
        return self._held + self._loaded

    @property
    def progress(self) -> Progress:
        """Progress of the last pass."""
        return Progress(self._uris, self._held, self._loaded, self._failed, self._no_room, self.is_running)

    def start(self) -> None:
        """Begin a pass, on the running event loop, unless one is under way."""
        if not self.is_running:
            self._begin(len(self._library.catalog))
            self._task = asyncio.create_task(self._run(), name="choirbook-preload")

    async def stop(self) -> None:
        """End the pass."""
        await end_tasks(self._task)

    async def wait(self) -> None:
        """Wait until the pass is over."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def _begin(self, uris: int) -> None:
        self._uris = uris
        self._held = self._loaded = self._failed = self._no_room = 0

    async def _run(self) -> None:
        await self._library.follower.ready.wait()
        infos = self._library.catalog.infos()
        self._begin(len(infos))
        for number, info in enumerate(infos, start=1):
            missing = self._missing(info)
            if not missing:
                self._held += 1
            elif not self._has_room(info, missing):
                self._no_room += 1
            else:
                is_loaded = await self._load(info, missing)
                self._loaded += is_loaded
                self._failed += not is_loaded
                # A flight that ended meanwhile is joined without a wait; other tasks get their turn here.
                await asyncio.sleep(0)
            if number % _PASSED_AT_ONCE == 0:
                await asyncio.sleep(0)
        if self._no_room:
            log.warning(
                "the cache is full: preloaded %d of %d. Raise CACHE_MAX_SIZE or CHOIRBOOK_CACHE_MAX_BYTES.",
                self.preloaded,
                len(infos),
            )
        self._finished()

    def _missing(self, info: ResourceInfo) -> list[Form]:
        now_s = monotonic()
        return [form for form in USUAL_FORMS if not self._library.memory.holds(info, form, now_s)]

    def _has_room(self, info: ResourceInfo, forms: Sequence[Form]) -> bool:
        return self._library.memory.has_room(info.uri, forms, int(info.size * GROWTH))

    async def _load(self, info: ResourceInfo, forms: Sequence[Form]) -> bool:
        """Read one URI in some forms; return whether all succeeded."""
        for form in forms:
            # Looked up for each form: the file may have changed or been deleted since the pass began.
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
