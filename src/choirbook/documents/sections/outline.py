"""Sections of a document: their addresses, nesting, and look-up. Pure.

Knows neither markdown nor XML: the modules beside it find the marks, and this one makes sections of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from choirbook.model import Section

MAX_SECTIONS = 2000
"""Maximum number of sections: documents for readers have fewer headings; further ones belong to the last
section kept."""

MAX_TITLE = 200
_MAX_SLUG = 80
_NO_TITLE = "section"
_NO_ASCII_SLUG = re.compile(r"[^a-z0-9_-]+")


class SectionMark(NamedTuple):
    """Place of a section in its document; offsets are in bytes."""

    title: str
    level: int
    """Heading level; 1 is the highest."""
    start: int
    end: int
    name: str = ""
    """Text to make the slug from, if that is not the title."""
    is_leaf: bool = False
    """Whether it contains text alone; such an element leaves a shared slug to one that contains elements."""


class Outline:
    """Sections of one version of a document, in the order of the document.

    Args:
        sections: Sections with unique slugs.
    """

    __slots__ = ("_by_key", "_by_slug", "sections")

    def __init__(self, sections: Sequence[Section] = ()) -> None:
        self.sections = tuple(sections)
        self._by_slug = {section.slug: section for section in self.sections}
        self._by_key: dict[str, Section] | None = None

    def find(self, wanted: str) -> Section | None:
        """Return the section with a slug or title.

        Args:
            wanted: A slug; or a title, in any case and punctuation, which finds the first section that has
                it.
        """
        found = self._by_slug.get(wanted)
        if found is not None:
            return found
        if self._by_key is None:
            self._by_key = {}
            for section in self.sections:
                self._by_key.setdefault(_key(section.title), section)
            for section in self.sections:
                self._by_key.setdefault(_key(section.slug), section)
        key = _key(wanted)
        return self._by_key.get(key) if key else None


def assemble(marks: Iterable[SectionMark]) -> Outline:
    """Assign slugs and heading paths to marks.

    Args:
        marks: In the order of their starts; of two, one lies within the other or after it.
    """
    kept = list(marks)[:MAX_SECTIONS]
    slugs = _slugs(kept)
    path: list[SectionMark] = []
    sections = []
    for mark, slug in zip(kept, slugs, strict=True):
        while path and path[-1].end <= mark.start:
            path.pop()
        path.append(mark)
        titles = tuple(each.title for each in path)
        sections.append(Section(slug, mark.title, mark.level, titles, mark.start, mark.end))
    return Outline(sections)


def slug_of(title: str) -> str:
    """Return the slug of a title, like the anchors of code forges: letters, digits, `-` and `_`.

    Letters of every script stay, as lower case in normalization form C, which URIs require.
    """
    lowered = unicodedata.normalize("NFC", title.lower())
    spaced = "-".join(lowered.split())
    if spaced.isascii():
        kept = _NO_ASCII_SLUG.sub("", spaced)
    else:
        kept = "".join(character for character in spaced if character in "-_" or _is_word(character))
    return kept.strip("-_")[:_MAX_SLUG].rstrip("-_") or _NO_TITLE


def flat(title: str) -> str:
    """Return a title on one line, shortened if it is too long."""
    line = " ".join(title.split())
    return line if len(line) <= MAX_TITLE else line[: MAX_TITLE - 1].rstrip() + "…"


def _slugs(marks: list[SectionMark]) -> list[str]:
    """Return a slug for each mark; of marks that share one, the later ones end in -2, -3."""
    taken: dict[str, int] = {}
    slugs = [""] * len(marks)
    for index in sorted(range(len(marks)), key=lambda index: marks[index].is_leaf):
        slug = plain = slug_of(marks[index].name or marks[index].title)
        while slug in taken:
            taken[plain] += 1
            slug = f"{plain}-{taken[plain]}"
        taken[slug] = 1
        slugs[index] = slug
    return slugs


def _key(text: str) -> str:
    """Return the comparison key of a title: its letters and digits, in one case."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return "".join(character for character in folded if _is_word(character))


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"
