"""Reads that miss memory: load, wait for a change to settle, or fall back to last good content.

A fallback is chosen per document, not per form: it is the version that readers received last, whichever form
they asked for, and every form can be made of it.
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from time import monotonic
from typing import Any

from choirbook.cache.epoch import Epoch, InvalidationEpoch
from choirbook.cache.etags import ETags
from choirbook.cache.memory import CachedForms, MemoryCache
from choirbook.cache.single_flight import SingleFlight
from choirbook.catalog.catalog import Catalog
from choirbook.documents.decoding import RECOVERABLE
from choirbook.documents.sections.section_uris import section_info
from choirbook.errors import Overloaded, RequestError, ResourceUnreadable, exhausted
from choirbook.library.follower import Follower
from choirbook.library.loader import Loader, LoadResult
from choirbook.library.outline_loader import OutlineLoader
from choirbook.model import (
    Form,
    Reading,
    Representation,
    ResourceInfo,
    SectionInfo,
    ServedFrom,
    SourceChanged,
    SourceError,
    SourceExhausted,
    SourceGone,
    Stage,
    StageName,
    stage_since,
)

log = logging.getLogger("choirbook.library")

SETTLE_DEADLINE_S = 2.0
"""Maximum wait of a read for a file that is being written, in seconds; a writer that takes longer streams."""

_Key = tuple[ResourceInfo, Form, Epoch]
"""Key of a flight. A reader who comes after an invalidation does not join a load that began before it."""


class PendingReads:
    """Reads of one library that memory could not answer.

    Args:
        catalog: Catalog of the documents.
        follower: Keeps the catalog up to date.
        loader: Loads content that memory lacks.
        memory: In-process cache.
        outline_loader: Finds the sections of a document.
        etags: Cached entity tags.
        epoch: Epoch of the caches; a load that began in an earlier one is not kept as current.
        max_waiting: Maximum number of concurrent pending reads; further ones are rejected.
    """

    def __init__(
        self,
        catalog: Catalog,
        follower: Follower,
        loader: Loader,
        memory: MemoryCache,
        outline_loader: OutlineLoader,
        etags: ETags,
        epoch: InvalidationEpoch,
        *,
        max_waiting: int,
    ) -> None:
        self._catalog = catalog
        self._follower = follower
        self._loader = loader
        self._memory = memory
        self._outline_loader = outline_loader
        self._etags = etags
        self._epoch = epoch
        self._max_waiting = max_waiting
        self._waiting = 0
        self._flights: SingleFlight[_Key, LoadResult] = SingleFlight()
        self._derivations: SingleFlight[tuple[ResourceInfo, ResourceInfo, Form], Representation | None] = (
            SingleFlight()
        )

    async def close(self) -> None:
        """End tasks under way."""
        await self._flights.close()
        await self._derivations.close()

    def read(self, info: ResourceInfo, form: Form, looked: Stage) -> Reading | Coroutine[Any, Any, Reading]:
        """Read a form that is not a hit; see `Library.read`.

        Content that is merely older than its time to live is returned at once, and reloaded in the
        background.

        Args:
            info: Resource of the key.
            form: Form of the key.
            looked: Stage of the look-up that found no hit.
        """
        expired = self._memory.expired(info, form)
        if expired is None:
            return self._load(info, form, looked)
        if len(self._flights) < self._max_waiting:
            self._flights.begin(self._key(info, form), lambda: self._refresh(info, form))
        return expired

    async def settled(self, info: ResourceInfo, error: SourceError, deadline_s: float) -> ResourceInfo | None:
        """Wait until the catalog knows the replacement of a document that could not be read.

        Args:
            info: Document that could not be read.
            error: Reason.
            deadline_s: Monotonic time at which to stop waiting.

        Returns:
            The info to read now, or None if the wait did not help.

        Raises:
            ResourceNotFound: The document is gone.
        """
        now = self._present(info)
        # If a document changed, the catalog may know more by now; if it is gone, it has to be looked for.
        if isinstance(error, SourceGone) or (now is not None and now.version == info.version):
            remaining_s = deadline_s - monotonic()
            if remaining_s > 0 and await self._follower.settled(info.path, remaining_s):
                now = self._present(info)
        if now is None:
            raise self._catalog.not_found(info.uri) from error
        return now if now.version != info.version and monotonic() < deadline_s else None

    async def _load(self, info: ResourceInfo, form: Form, looked: Stage) -> Reading:
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many reads are already waiting for documents. Try again.")
        self._waiting += 1
        try:
            return await self._load_now(info, form, [looked])
        finally:
            self._waiting -= 1

    async def _load_now(self, info: ResourceInfo, form: Form, stages: list[Stage]) -> Reading:
        deadline_s = monotonic() + SETTLE_DEADLINE_S
        while True:
            try:
                began_s = monotonic()
                if isinstance(info, SectionInfo) and info.section is None:
                    info = await self._outline_loader.resolved(info)
                    stages.append(stage_since(StageName.OUTLINE, began_s))
                    began_s = monotonic()
                loaded = await self._flights.join(self._key(info, form), lambda: self._lead(info, form))  # noqa: B023
                return Reading(info, loaded.representation, loaded.served_from, (*stages, *loaded.stages))
            except (SourceChanged, SourceGone) as error:
                stages.append(stage_since(StageName.SOURCE_READ, began_s))
                began_s = monotonic()
                now = await self.settled(info, error, deadline_s)
                stages.append(stage_since(StageName.SETTLE, began_s))
                if now is None:
                    return await self._fall_back(info, form, error, stages)
                info = now
            except SourceError as error:
                stages.append(stage_since(StageName.SOURCE_READ, began_s))
                return await self._fall_back(info, form, error, stages)

    def _key(self, info: ResourceInfo, form: Form) -> _Key:
        return info, form, self._epoch.now

    async def _lead(self, info: ResourceInfo, form: Form) -> LoadResult:
        # Another flight may have ended between this waiter's look-up and its flight.
        held = self._memory.get(info, form, monotonic())
        if held is not None:
            return LoadResult(held.representation, ServedFrom.MISS)
        began = self._epoch.now
        try:
            loaded = await self._loader.load(info, form)
        except SourceChanged:
            # Until the change has settled, hits of the other forms give this version.
            young = self._memory.young(_document(info))
            derived = None if young is None else await self._derive(info, form, young)
            if derived is None:
                raise
            self._follower.look_soon({info.path})
            return LoadResult(derived, ServedFrom.MISS)
        if self._supersedes(info):
            self._keep(info, form, loaded, is_questioned=self._epoch.is_over(began))
        return loaded

    async def _refresh(self, info: ResourceInfo, form: Form) -> LoadResult:
        try:
            return await self._lead(info, form)
        except (SourceChanged, SourceGone):
            self._follower.look_soon({info.path})
            raise
        except SourceError as error:
            log.warning("cannot read %s: %s", info.uri, error)
            self._memory.fail(info.uri)
            raise

    def _keep(self, info: ResourceInfo, form: Form, loaded: LoadResult, *, is_questioned: bool) -> None:
        if is_questioned:
            # These waiters asked before their content was invalidated; later readers do not get it, unless
            # nothing else is available.
            self._memory.put_questioned(info, form, loaded.representation)
            return
        self._memory.put(info, form, loaded.representation)
        if loaded.raw is not None:
            held = self._memory.young(info)
            if held is not None and not held.forms.keys() & RECOVERABLE:
                self._memory.put(info, Form.RAW, loaded.raw)
        if not isinstance(info, SectionInfo):
            # Sections come and go with every edit, without notice: their ETags would be kept for ever.
            self._etags.remember(info, form, loaded.representation.etag)

    def _supersedes(self, info: ResourceInfo) -> bool:
        """Return whether loaded content may replace what is held: a flight may end late."""
        held, document = self._memory.info(info.uri), _document(info)
        return held is None or held == info or self._catalog.find(document.uri) == document

    def _present(self, info: ResourceInfo) -> ResourceInfo | None:
        """Return the present info of an info's URI."""
        if not isinstance(info, SectionInfo):
            return self._catalog.find(info.uri)
        document = self._catalog.find(info.document.uri)
        return None if document is None else section_info(document, info.wanted, None)

    async def _fall_back(
        self, info: ResourceInfo, form: Form, error: SourceError, stages: list[Stage]
    ) -> Reading:
        """Serve the last good content, or raise.

        Raises:
            ResourceUnreadable: There is none that is young enough.
            Overloaded: Nor is there a descriptor to open the document with.
        """
        log.warning("cannot read %s: %s", info.uri, error)
        for uri in dict.fromkeys((info.uri, _document(info).uri)):
            cached = self._memory.last_good(uri)
            last_good = None if cached is None else await self._derive(info, form, cached)
            if last_good is not None:
                return Reading(info, last_good, ServedFrom.STALE, tuple(stages))
        raise unreadable(info, error) from error

    async def _derive(self, info: ResourceInfo, form: Form, cached: CachedForms) -> Representation | None:
        """Return a form made from memory; make and keep it if it is not there.

        Args:
            info: Resource requested.
            form: Form requested.
            cached: Cached forms of the same URI, or of the document that contains the section.
        """
        if cached.info.uri == info.uri and form in cached.forms:
            return cached.forms[form]
        derived = await self._derivations.join(
            (info, cached.info, form), lambda: self._loader.derive(info, form, cached)
        )
        if derived is not None and cached.info.uri == info.uri:
            self._memory.put_derived(cached.info, form, derived)
        return derived


def unreadable(info: ResourceInfo, error: SourceError) -> RequestError:
    """Create the error for a document that cannot be read.

    Args:
        info: Info of the document.
        error: Reason.
    """
    if isinstance(error, SourceExhausted):
        return exhausted()
    return ResourceUnreadable(
        f"The document of {info.uri} cannot be read at the moment. See the server's log for the reason; try "
        "again later.",
        {"uri": info.uri},
    )


def _document(info: ResourceInfo) -> ResourceInfo:
    return info.document if isinstance(info, SectionInfo) else info
