"""Queries: a client's text as words. Pure.

Nothing of it is ever interpreted as syntax of the full-text engine: only letters and digits pass, each word
in quotation marks, so no query can be an error of the engine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from choirbook.errors import InvalidParams

MAX_CHARACTERS = 1000
"""Maximum length of a query, in characters: a question has a hundred, and a longer text is a document by
mistake."""

MAX_WORDS = 32
"""Maximum number of words; further ones are ignored, as each costs a look-up."""

MIN_PREFIX = 3
"""Minimum length from which the last word also matches longer ones; shorter ones would match half the
library."""

_COMMON_WORDS = """
a about an and any are as at be by can do does for from has have how i if in into is it its me my need of on
or our should that the their then there these this to use using we what when where which who why with you your
"""

COMMON = frozenset(_COMMON_WORDS.split())
"""English words that are in nearly every section: they are useless for search and cost the most."""


class Query(NamedTuple):
    """Distinct words of a query, in order."""

    words: tuple[str, ...]
    has_prefix: bool
    """Whether the last word may be the start of a longer one."""

    def all_words_in_headings(self) -> str:
        """Return the match expression for sections with all words in titles and headings."""
        return f"{{title heading}} : ({self.all_words()})"

    def all_words(self) -> str:
        """Return the match expression for sections with all words."""
        return " AND ".join(map(_quoted, self.words))

    def all_words_with_prefix(self) -> str | None:
        """Return the same with the last word as a prefix, or None if it cannot be one."""
        if not self.has_prefix:
            return None
        return " AND ".join([*map(_quoted, self.words[:-1]), f"{_quoted(self.words[-1])}*"])

    def any_word(self) -> str | None:
        """Return the match expression for sections with any of the words, or None if there is only one."""
        return " OR ".join(map(_quoted, self.words)) if len(self.words) > 1 else None


def parse_query(text: str) -> Query:
    """Split a query into words.

    Args:
        text: As the client sent it.

    Raises:
        InvalidParams: It is too long, or has no word.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidParams(
            f"The query has {len(text)} characters; at most {MAX_CHARACTERS} are allowed. Use a few words "
            "that the text you want is likely to contain."
        )
    words = list(_words(text))
    if not words:
        raise InvalidParams(
            "The query has no words. Use a few words that the text you want is likely to contain."
        )
    telling = [word for word in words if word not in COMMON] or words
    # The last position of a repeated word counts, as the last word is special.
    kept = list(dict.fromkeys(reversed(telling)))[::-1][:MAX_WORDS]
    has_prefix = kept[-1] == words[-1] and len(kept[-1]) >= MIN_PREFIX and kept[-1] not in COMMON
    return Query(tuple(kept), has_prefix)


def kind_word(type_: str) -> str:
    """Return the index word that marks sections of a resource type; no text contains it."""
    return f"kind{type_.encode().hex()}"


def _words(text: str) -> Iterator[str]:
    word: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if unicodedata.category(character)[0] in "LNM":
            word.append(character)
        elif word:
            yield "".join(word).lower()
            word = []
    if word:
        yield "".join(word).lower()


def _quoted(word: str) -> str:
    return f'"{word}"'


def of_kind(expression: str, type_: str) -> str:
    """Restrict a match expression to sections of a resource type."""
    return f"({expression}) AND kind : {_quoted(kind_word(type_))}"
