"""The full text index, in a private SQLite database. Blocking; used on one thread only.

The database lives in a temporary file that SQLite removes by itself, behind a page cache of bounded size, so
that a large library costs disk and not memory. Where no file can be made it lives in memory.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple

from choirbook.model import ResourceInfo
from choirbook.search.passages import SearchPart
from choirbook.search.query import Query, kind_word, of_kind

CACHE_KIB = 16 * 1024
"""Pages kept in memory; a library of some hundred documents fits."""

MAX_PARTS = 2**20
"""Row numbers set apart for a document."""

DEADLINE_S = 0.25
"""A query that takes longer is ended, and what was found until then is the answer."""

ENOUGH = 3
"""Sections with all words from which those with some words are not looked for."""

MAX_RANKED_HEADINGS = 4000
MAX_RANKED = 1000
"""Sections ranked for an expression, in the order of the index; words that more of them share say little."""

_NO_ROW = 2**63 - 1
_STEPS = 10_000
"""Instructions of the engine between two looks at the clock."""

_SNIPPET_TOKENS = 24

_MAX_WEIGHED = 200
"""Matches in a part among which the engine chooses what to quote: it compares each with all others, so that a
word that fills 64 KiB would take it half a minute. Where there are more, the first is quoted."""

_MAX_QUOTED = 400
"""Characters quoted of such a part."""

_MARK = "\x02"
_BETWEEN = "\x1f"

_SCHEMA = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = MEMORY;
PRAGMA synchronous = OFF;
CREATE VIRTUAL TABLE parts USING fts5(
    title, heading, body, kind, slug UNINDEXED, size UNINDEXED,
    tokenize = "porter unicode61 remove_diacritics 2"
);
INSERT INTO parts (parts, rank) VALUES ('rank', 'bm25(8.0, 6.0, 1.0, 0.0)');
"""


class MatchedSection(NamedTuple):
    """A section that a query finds."""

    uri: str
    """Of the document."""
    slug: str | None
    heading_path: tuple[str, ...]
    snippet: str
    size_bytes: int
    score: float
    """Higher is better.

    Above 3, all words are in headings; above 2, in the text; above 1, the last is the start of a word.
    """


class _Step(NamedTuple):
    """One of the ways to look for a query, the best first."""

    base: float
    """Added to scores, so that hits of a better step are always higher."""
    expression: str | None
    enough: int
    """Hits of better steps from which this one is not taken."""
    max_ranked: int


class Index:
    """All documents, by URI.

    Raises:
        sqlite3.Error: The engine is not there (a build without FTS5), or its file cannot be written.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect(_place(), isolation_level=None, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._database.executescript(_SCHEMA)
        self._numbers: dict[str, int] = {}
        self._uris: dict[int, str] = {}
        self._next = 1

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self._numbers)

    def begin(self) -> None:
        """Gather what follows: many documents are written faster together."""
        if not self._database.in_transaction:
            self._database.execute("BEGIN")

    def commit(self) -> None:
        """Write what was gathered."""
        if self._database.in_transaction:
            self._database.execute("COMMIT")

    def put(self, info: ResourceInfo, parts: list[SearchPart]) -> None:
        """Take a document in, in the place of what its URI had before."""
        self.remove(info.uri)
        number, self._next = self._next, self._next + 1
        first = number * MAX_PARTS
        title = f"{info.title} {info.name}"
        kind = kind_word(info.type)
        self._numbers[info.uri], self._uris[number] = number, info.uri
        self._database.executemany(
            "INSERT INTO parts (rowid, title, heading, body, kind, slug, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    first + n,
                    title,
                    _BETWEEN.join(part.heading_path),
                    part.text,
                    kind,
                    part.slug,
                    part.size_bytes,
                )
                for n, part in enumerate(parts[:MAX_PARTS])
            ),
        )

    def remove(self, uri: str) -> None:
        """Drop a document; one that is not there is none the worse."""
        number = self._numbers.pop(uri, None)
        if number is not None:
            del self._uris[number]
            first = number * MAX_PARTS
            self._database.execute(
                "DELETE FROM parts WHERE rowid BETWEEN ? AND ?", (first, first + MAX_PARTS - 1)
            )

    def find(self, query: Query, type_: str | None, limit: int) -> list[MatchedSection]:
        """Return the sections that fit best.

        Args:
            query: The words.
            type_: Only resources of this type.
            limit: Sections at most.
        """
        until_s = monotonic() + DEADLINE_S
        self._database.set_progress_handler(lambda: monotonic() > until_s, _STEPS)
        found: dict[tuple[str, str | None], MatchedSection] = {}
        try:
            # Headings first: they say what a text is about, and words of many texts are in few of them.
            steps = (
                _Step(3.0, query.all_words_in_headings(), limit, MAX_RANKED_HEADINGS),
                _Step(2.0, query.all_words(), limit, MAX_RANKED),
                _Step(1.0, query.all_words_with_prefix(), limit, MAX_RANKED),
                _Step(0.0, query.any_word(), min(limit, ENOUGH), MAX_RANKED),
            )
            for step in steps:
                if step.expression is not None and len(found) < step.enough:
                    chosen = of_kind(step.expression, type_) if type_ is not None else step.expression
                    self._collect(found, chosen, step, limit)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_INTERRUPT:
                raise
        finally:
            self._database.set_progress_handler(None, 0)
        return list(found.values())[:limit]

    def interrupt(self) -> None:
        """End what runs now; may be called on any thread."""
        self._database.interrupt()

    def close(self) -> None:
        """Drop everything."""
        self._database.close()

    def _collect(
        self, found: dict[tuple[str, str | None], MatchedSection], expression: str, step: _Step, limit: int
    ) -> None:
        for row, rank in self._ranked(expression, limit + len(found), step.max_ranked):
            # Quoting reads the text again: only of what is part of the answer.
            (heading, slug, size) = self._database.execute(
                "SELECT heading, slug, size FROM parts WHERE rowid = ?", (row,)
            ).fetchone()
            uri = self._uris[row // MAX_PARTS]
            if (uri, slug) not in found:
                path = tuple(heading.split(_BETWEEN)) if heading else ()
                score = round(step.base + rank / (1 + rank), 4)
                snippet = self._quote(expression, row, size)
                found[uri, slug] = MatchedSection(uri, slug, path, " ".join(snippet.split()), size, score)

    def _quote(self, expression: str, row: int, size_bytes: int) -> str:
        """Return what a part says around the words, in time linear in its length."""
        select = "SELECT {} FROM parts WHERE parts MATCH ? AND rowid = ?"
        # Between two matches is a separator, so that a short part needs no count.
        if size_bytes > 2 * _MAX_WEIGHED:
            (marked,) = self._database.execute(
                select.format("highlight(parts, 2, ?, '')"), (_MARK, expression, row)
            ).fetchone()
            if marked.count(_MARK) > _MAX_WEIGHED:
                return _beginning(marked)
        (snippet,) = self._database.execute(
            select.format("snippet(parts, 2, '', '', '…', ?)"), (_SNIPPET_TOKENS, expression, row)
        ).fetchone()
        return str(snippet)

    def _ranked(self, expression: str, limit: int, max_ranked: int) -> Iterator[tuple[int, float]]:
        execute = self._database.execute
        # Stepping over a row costs a fraction of ranking it.
        beyond = execute(
            "SELECT rowid FROM parts WHERE parts MATCH ? LIMIT 1 OFFSET ?", (expression, max_ranked)
        ).fetchone()
        rows = execute(
            "SELECT rowid, rank FROM parts WHERE parts MATCH ? AND rowid < ? ORDER BY rank LIMIT ?",
            (expression, beyond[0] if beyond else _NO_ROW, limit),
        ).fetchall()
        return ((row, max(0.0, -rank)) for row, rank in rows)


def _beginning(marked: str) -> str:
    """Return the text from its first match on, as far as is quoted."""
    start = marked.index(_MARK)
    text = marked[start:].replace(_MARK, "")
    quoted = " ".join(text[:_MAX_QUOTED].split()[:_SNIPPET_TOKENS])
    return f"{'…' if start else ''}{quoted}{'…' if len(quoted) < len(text.rstrip()) else ''}"


def _place() -> str:
    """Return the name of a private database: of a temporary file, or of none where no file can be made."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return ":memory:"
    return ""
