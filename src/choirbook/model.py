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

from choirbook.text.token_estimate import estimate_tokens

Version = NewType("Version", str)
"""A cheap token that changes whenever a document's content may have changed. Local to one host."""

Header = tuple[str, str]


class Form(StrEnum):
    """A ready-to-send shape of a resource. A `StrEnum` because its hash is computed once, in C."""

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
    """Origin of the bytes of a reading; the values are those of the `X-Cache` header."""

    HIT = "hit"
    SHARED = "shared"
    MISS = "miss"
    STALE = "stale"


X_CACHE: dict[ServedFrom, Header] = {origin: ("x-cache", origin.value) for origin in ServedFrom}
"""Response header of every answered read, with the origin of its bytes."""


class ResourceInfo(msgspec.Struct, frozen=True, gc=False):
    """Catalog entry of one URI.

    An alias has an info of its own, whose `uri` is the alias and whose `canonical_uri` is the resource's;
    otherwise the two are equal.
    """

    uri: str
    canonical_uri: str
    path: str
    """Path relative to the library's root, with `/`. For the source and the log only, never for a client."""
    name: str
    title: str
    description: str
    type: str
    media_type: str
    size: int
    """Size of the document itself, in bytes."""
    modified_ns: int
    """Unix time of the last change, in nanoseconds."""
    version: Version

    @property
    def tokens(self) -> int:
        """Estimated number of tokens in a model's context."""
        return estimate_tokens(self.size)


class Section(msgspec.Struct, frozen=True, gc=False):
    """An addressable part of one version of a document; offsets are in bytes."""

    slug: str
    """Identifier, unique in the document."""
    title: str
    level: int
    """Heading level; 1 is the highest."""
    heading_path: tuple[str, ...]
    """Titles of the enclosing sections, the highest first, followed by its own."""
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """Bytes from its heading to the next one of the same or a higher level."""
        return self.end - self.start

    @property
    def tokens(self) -> int:
        """Estimated number of tokens in a model's context."""
        return estimate_tokens(self.size_bytes)


class SectionInfo(ResourceInfo, frozen=True, gc=False):
    """Entry of a section's URI: `ResourceInfo` with the section's own title, description and size.

    Until the document has been parsed the URI holds the client's text, and `section` is None.
    """

    document: ResourceInfo
    """The complete document, under the URI or alias that the client used."""
    wanted: str
    """The section as the client named it; its slug once it is known."""
    section: Section | None = None


class SourceEntry(msgspec.Struct, frozen=True, gc=False):
    """One document as listed by the source."""

    path: str
    version: Version
    size: int
    modified_ns: int


class SourceProblem(msgspec.Struct, frozen=True):
    """A document that the source cannot serve, and why."""

    path: str
    reason: str


class Content(msgspec.Struct, frozen=True, gc=False):
    """Complete bytes of one document, read through one descriptor."""

    data: bytes
    entry: SourceEntry


class Representation(msgspec.Struct, frozen=True, gc=False):
    """Immutable bytes of one (resource, version, form)."""

    body: bytes
    etag: str
    """Strong validator, quoted, of exactly this form (RFC 9110, section 8.8.3)."""
    headers: list[Header]
    """Complete response headers; empty in the MCP forms. Shared by all readers, never changed."""
    digest: str
    """SHA-256 of the document's own bytes, in hexadecimal."""
    hit_headers: list[Header]
    """`headers` and `X-Cache: hit`, built in advance as nearly all reads are hits."""


class StageName(StrEnum):
    """Stages of a read that misses the cache."""

    CACHE_MEMORY = "cache.memory"
    """Look-up in memory that found nothing."""
    OUTLINE = "outline"
    """Finding the requested section in the document."""
    CACHE_SHARED = "cache.shared"
    """Asking Redis, and waiting there for another process that loads the same form."""
    QUEUE = "queue"
    """Waiting for a thread."""
    SOURCE_READ = "source.read"
    RENDER = "render"
    SETTLE = "settle"
    """Waiting for the end of a change to the document."""


class Stage(msgspec.Struct, frozen=True, gc=False):
    """One stage of a read, with its time."""

    name: str
    """Name of the stage, one of `StageName`."""
    start_s: float
    """Start, in seconds of the monotonic clock."""
    duration_s: float


def stage_since(name: StageName, start_s: float) -> Stage:
    """Return a stage that ends now.

    Args:
        name: Name of the stage.
        start_s: Start, in seconds of the monotonic clock.
    """
    return Stage(name, start_s, monotonic() - start_s)


class Reading(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Result of a read. Hits of one cached form are the same object, by which observers group them."""

    info: ResourceInfo
    representation: Representation
    served_from: ServedFrom
    stages: tuple[Stage, ...] = ()
    """Stages of the read, in order; empty for a hit. The first is this reader's own look-up; a load shared by
    several readers is reported to each of them, and may have begun before some of them arrived."""


class Change(msgspec.Struct, frozen=True):
    """Change of the catalog by one refresh, as canonical URIs."""

    generation: int
    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Invalidation(msgspec.Struct, frozen=True):
    """Scope of an invalidation: one resource, all of a type, or with neither all resources."""

    uri: str | None = None
    """Canonical URI."""
    type: str | None = None


class SourceError(Exception):
    """A document could not be read; the text is for the operator's log, not for a client."""


class SourceExhausted(SourceError):
    """A document could not be read because no descriptor is left; says nothing about the document."""


class SourceGone(SourceError):
    """The document does not exist (any more)."""


class SourceMisruled(SourceError):
    """The source's own rules cannot be used, and none are in force; the text is fit for clients too."""


class SourceChanged(SourceError):
    """The document is being written, or is not of the requested version."""


class Source(Protocol):
    """Source of documents. Calls block: run them on a thread, never on the event loop."""

    @property
    def is_near(self) -> bool:
        """Whether reading a document is faster than asking Redis for it (see docs/adr/0007).

        If so, a miss goes to the source at once. Otherwise the source is read after Redis was asked, by one
        process for all.
        """

    @property
    def rule_faults(self) -> tuple[str, ...]:
        """Reasons why the source's present rules are not in force; from memory only.

        The previous rules stay in force meanwhile. Each text is fit for a client: it names no path of the
        machine.
        """

    @property
    def due_s(self) -> float:
        """Monotonic time from which a listing may show more than the last one; from memory only."""

    def portable(self, version: Version) -> str:
        """Return the part of a version that all hosts share for the same document; from memory only."""

    def list(self) -> tuple[Iterable[SourceEntry], Iterable[SourceProblem]]:
        """Return every document, and the problems of those that cannot be served.

        Raises:
            SourceError: The root itself cannot be read.
        """

    def stat(self, path: str) -> SourceEntry:
        """Return one document's entry.

        Raises:
            SourceGone: There is no such document.
            SourceError: It cannot be examined.
        """

    def read(self, path: str, version: Version) -> Content:
        """Return the bytes of exactly this version.

        Raises:
            SourceGone: There is no such document.
            SourceChanged: It has another version, or changed while it was read.
            SourceError: It cannot be read.
        """

    def read_head(self, path: str, size: int) -> bytes:
        """Return at most the first `size` bytes.

        Raises:
            SourceError: It cannot be read.
        """

    def capture(self, paths: Iterable[str], quiet_s: float) -> Iterable[Content]:
        """Read complete documents that are replaced again before they settle.

        From then on `read` returns this version, until it is released or another one is captured.

        Args:
            paths: Paths of the documents. Those that are not replaced, are being written, or exceed a limit
                are skipped.
            quiet_s: Time without writes that a file needs, in seconds.
        """

    def release(self, paths: Iterable[str]) -> None:
        """Release captured documents."""

    def close(self) -> None:
        """Close everything that is held open; a later call opens it again."""

    def watch(self) -> AsyncIterator[set[str]]:
        """Yield sets of relative paths that may have changed; an empty path means anything."""
