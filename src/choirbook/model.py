"""The values that travel between the layers, and the protocol of a source. Pure, no I/O.

All values are immutable; they are shared between the event loop and worker threads. Those of forms and
representations are shaped by HTTP and MCP on purpose: what is cached is ready to be sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from time import monotonic
from typing import NewType, Protocol

import msgspec

from choirbook.text.tokens import estimate_tokens

Version = NewType("Version", str)
"""A cheap token that changes whenever a document's content may have changed. Local to one host."""

Header = tuple[str, str]


class Form(StrEnum):
    """A ready-to-send shape of a resource. A `StrEnum` because its hash is made once, in C."""

    RAW = "raw"
    RAW_GZIP = "raw+gzip"
    RAW_BR = "raw+br"
    RAW_ZSTD = "raw+zstd"
    JSON = "json"
    JSON_GZIP = "json+gzip"
    JSON_BR = "json+br"
    JSON_ZSTD = "json+zstd"
    OUTLINE = "outline"
    MCP_HANDSHAKE = "mcp-handshake"
    MCP_MODERN = "mcp-modern"
    TOOL_HANDSHAKE = "tool-handshake"
    TOOL_MODERN = "tool-modern"


class ServedFrom(StrEnum):
    """Where the bytes of a reading came from; the values are those of the `X-Cache` header."""

    HIT = "hit"
    SHARED = "shared"
    MISS = "miss"
    STALE = "stale"


X_CACHE: dict[ServedFrom, Header] = {origin: ("x-cache", origin.value) for origin in ServedFrom}
"""The header by which every answered read says where its bytes came from."""


class ResourceInfo(msgspec.Struct, frozen=True, gc=False):
    """What the catalog knows of one URI.

    An alias has an info of its own, whose `uri` is the alias and whose `canonical_uri` is the
    resource's; otherwise the two are equal.
    """

    uri: str
    canonical_uri: str
    path: str
    """Relative to the library's root, with `/`. For the source and the log only, never for a client."""
    name: str
    title: str
    description: str
    type: str
    media_type: str
    size: int
    """Bytes of the document itself."""
    modified_ns: int
    """Unix time of the last change, in nanoseconds."""
    version: Version

    @property
    def tokens(self) -> int:
        """About how many tokens of a model's context it takes."""
        return estimate_tokens(self.size)


class Section(msgspec.Struct, frozen=True, gc=False):
    """An addressable part of one version of a document; offsets are in bytes."""

    slug: str
    """Unique in the document."""
    title: str
    level: int
    """1 is the highest."""
    heading_path: tuple[str, ...]
    """Titles of the sections it lies in, the highest first, and its own."""
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Bytes from its heading to the next one of the same or a higher level."""
        return self.end - self.start

    @property
    def tokens(self) -> int:
        """About how many tokens of a model's context it takes."""
        return estimate_tokens(self.size_bytes)


class SectionInfo(ResourceInfo, frozen=True, gc=False):
    """What is known of a section's URI: `ResourceInfo` with the section's own title, description and size.

    Until the document has been parsed the URI holds what the client asked for, and `section` is None.
    """

    document: ResourceInfo
    """The whole document, under the URI or alias that the client used."""
    wanted: str
    """The section as the client named it; its slug once it is known."""
    section: Section | None = None


class SourceEntry(msgspec.Struct, frozen=True, gc=False):
    """One document as a listing of the source shows it."""

    path: str
    version: Version
    size: int
    modified_ns: int


class SourceProblem(msgspec.Struct, frozen=True):
    """A document that the source cannot serve, and why."""

    path: str
    reason: str


class Content(msgspec.Struct, frozen=True, gc=False):
    """The whole of one document, read through one descriptor."""

    data: bytes
    entry: SourceEntry


class Representation(msgspec.Struct, frozen=True, gc=False):
    """Immutable bytes of one (resource, version, form)."""

    body: bytes
    etag: str
    """Strong validator, quoted, of this very form (RFC 9110, section 8.8.3)."""
    headers: list[Header]
    """Ready response headers; empty in the MCP forms. Shared by all readers, never changed."""
    digest: str
    """SHA-256 of the document's own bytes, in hexadecimal."""
    hit_headers: list[Header]
    """`headers` and `X-Cache: hit`, made once as nearly all reads are hits."""


class StageName(StrEnum):
    """What a read that is no hit is made of."""

    CACHE_MEMORY = "cache.memory"
    """The look-up in memory that found nothing."""
    OUTLINE = "outline"
    """Finding out where the section is that was asked for."""
    CACHE_SHARED = "cache.shared"
    """Asking Redis, and waiting there for another process that loads the same."""
    QUEUE = "queue"
    """Waiting for a thread."""
    SOURCE_READ = "source.read"
    RENDER = "render"
    SETTLE = "settle"
    """Waiting for the end of a change to the document."""


class Stage(msgspec.Struct, frozen=True, gc=False):
    """One part of the time that a read took."""

    name: str
    """One of `StageName`."""
    start_s: float
    """Of the monotonic clock."""
    duration_s: float


def stage_since(name: StageName, start_s: float) -> Stage:
    """Return a stage that ends now.

    Args:
        name: What was done.
        start_s: When it began, of the monotonic clock.
    """
    return Stage(name, start_s, monotonic() - start_s)


class Reading(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a read returns. Hits of one cached form are one object, by which observers put them together."""

    info: ResourceInfo
    representation: Representation
    served_from: ServedFrom
    stages: tuple[Stage, ...] = ()
    """What was done for it, in order; nothing for a hit. The first is this reader's own look-up; a load that
    several readers waited for is told to each of them, and may have begun before some of them came."""


class Change(msgspec.Struct, frozen=True):
    """What one refresh of the catalog changed, as canonical URIs."""

    generation: int
    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Invalidation(msgspec.Struct, frozen=True):
    """What caches are to forget: one resource, those of a type, or with neither all."""

    uri: str | None = None
    """Canonical."""
    type: str | None = None


class SourceError(Exception):
    """A document could not be read; the text is for the operator's log, not for a client."""


class SourceExhausted(SourceError):
    """A document could not be read because no descriptor is left: it says nothing about the document."""


class SourceGone(SourceError):
    """The document is not there (any more)."""


class SourceMisruled(SourceError):
    """Rules of the source's own cannot be used, and none are in force; the text is for clients too."""


class SourceChanged(SourceError):
    """The document is being written, or is not of the version asked for."""


class Source(Protocol):
    """Where documents come from. Blocking calls: run them on a thread, never on the event loop."""

    @property
    def is_near(self) -> bool:
        """Whether reading a document costs less than asking Redis for it (see docs/adr/0007).

        Then a miss goes to the source at once. One that is not near is asked after Redis, by one process
        for all.
        """

    @property
    def rule_faults(self) -> tuple[str, ...]:
        """Why rules of the source's own, as they are there now, do not count; memory only.

        Those from before stay in force meanwhile. Each text is fit for a client: it names no path of the
        machine.
        """

    @property
    def due_s(self) -> float:
        """Monotonic time from which a listing may show more than the last one did; memory only."""

    def portable(self, version: Version) -> str:
        """Return what of a version is the same on every host that sees the same document; memory only."""

    def list(self) -> tuple[Iterable[SourceEntry], Iterable[SourceProblem]]:
        """Return every document, and those that cannot be served.

        Raises:
            SourceError: The root itself cannot be read.
        """

    def stat(self, path: str) -> SourceEntry:
        """Return one document's entry.

        Raises:
            SourceGone: No such document.
            SourceError: It cannot be looked at.
        """

    def read(self, path: str, version: Version) -> Content:
        """Return the bytes of exactly this version.

        Raises:
            SourceGone: No such document.
            SourceChanged: It is of another version, or changed while it was read.
            SourceError: It cannot be read.
        """

    def read_head(self, path: str, size: int) -> bytes:
        """Return at most the first `size` bytes.

        Raises:
            SourceError: It cannot be read.
        """

    def capture(self, paths: Iterable[str], quiet_s: float) -> Iterable[Content]:
        """Return documents whole though others take their place before they are quiet.

        From then on `read` gives this version, until it is released or another one is captured.

        Args:
            paths: Of the documents. Those that keep their place, are written to, or are too many, are left
                out.
            quiet_s: For how long nobody may write to one, in seconds.
        """

    def release(self, paths: Iterable[str]) -> None:
        """Let go of what was captured."""

    def close(self) -> None:
        """Let go of what is held open; a later call opens it again."""

    def watch(self) -> AsyncIterator[set[str]]:
        """Yield sets of relative paths that may have changed; an empty path means anything."""
