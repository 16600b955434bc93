"""What a search brings. Values."""

from __future__ import annotations

import msgspec

from choirbook.documents.sections.addresses import section_uri
from choirbook.model import ResourceInfo
from choirbook.text.tokens import estimate_tokens


class Hit(msgspec.Struct, frozen=True):
    """A section, or a document, that a query finds."""

    info: ResourceInfo
    """Of the document, as the catalog has it now."""
    slug: str | None
    """Of the section; None for the document."""
    title: str
    """The section's, or the document's."""
    heading_path: tuple[str, ...]
    snippet: str
    """One line of the text, around the words that were found."""
    size: int
    """Bytes of what `uri` reads."""
    score: float
    """Higher is better; see `MatchedSection`."""

    @property
    def uri(self) -> str:
        """Canonical, with the section where it is one."""
        return self.info.uri if self.slug is None else section_uri(self.info.uri, self.slug)

    @property
    def tokens(self) -> int:
        """About how many tokens of a model's context it takes."""
        return estimate_tokens(self.size)


class Results(msgspec.Struct, frozen=True):
    """The answer to a search."""

    hits: tuple[Hit, ...]
    """The best first."""
    more: bool
    """Whether there are further ones."""
    complete: bool
    """Whether all documents were looked at; if not, the index is still being built."""
