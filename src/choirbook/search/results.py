"""Results of a search. Values only."""

from __future__ import annotations

import msgspec

from choirbook.documents.sections.section_uris import section_uri
from choirbook.model import ResourceInfo
from choirbook.text.token_estimate import estimate_tokens


class Hit(msgspec.Struct, frozen=True):
    """Section or document found by a query."""

    info: ResourceInfo
    """Present catalog entry of the document."""
    slug: str | None
    """Slug of the section; None for the document."""
    title: str
    """Title of the section, or of the document."""
    heading_path: tuple[str, ...]
    snippet: str
    """One line of the text, around the words found."""
    size: int
    """Size of the content at `uri`, in bytes."""
    score: float
    """Higher is better; see `MatchedSection`."""

    @property
    def uri(self) -> str:
        """Canonical URI, including the section if there is one."""
        return self.info.uri if self.slug is None else section_uri(self.info.uri, self.slug)

    @property
    def tokens(self) -> int:
        """Estimated number of tokens in a model's context."""
        return estimate_tokens(self.size)


class Results(msgspec.Struct, frozen=True):
    """The answer to a search."""

    hits: tuple[Hit, ...]
    """The best first."""
    more: bool
    """Whether there are further hits."""
    complete: bool
    """Whether all documents were indexed; if not, the index is still being built."""
