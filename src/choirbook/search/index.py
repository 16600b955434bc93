"""Full-text index in a private SQLite database. Blocking; used on one thread only.

The database is a temporary file that SQLite removes by itself, behind a page cache of bounded size, so that a
large library costs disk space and not memory. If no file can be created, it is in memory.
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
"""Size of the page cache in KiB; a library of some hundred documents fits."""

MAX_PARTS = 2**20
"""Number of row ids reserved for a document."""

DEADLINE_S = 0.25
"""Maximum duration of a query, in seconds; a longer one is stopped, and returns what was found until then."""

ENOUGH = 3
"""Number of sections with all words above which those with some words are not searched."""

MAX_RANKED_HEADINGS = 4000
MAX_RANKED = 1000
"""Maximum number of sections ranked for an expression, in the order of the index; words that are more
frequent say little."""

_NO_ROW = 2**63 - 1
_STEPS = 10_000
"""Instructions of the engine between two checks of the clock."""

_SNIPPET_TOKENS = 24

_MAX_WEIGHED = 200
"""Maximum number of matches in a part for which the engine chooses the quote: it compares each with all
others, so a word that fills 64 KiB would take it half a minute. If there are more, the first is quoted."""

_MAX_QUOTED = 400
"""Maximum characters quoted of such a part."""

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
    """Section found by a query."""

    uri: str
    """URI of the document."""
    slug: str | None
    heading_path: tuple[str, ...]
    snippet: str
    size_bytes: int
    score: float
    """Higher is better.

    Above 3, all words are in headings; above 2, in the text; above 1, the last is the start of a word.
    """


class _Step(NamedTuple):
    """One way to search for a query; the best comes first."""

    base: float
    """Added to scores, so that hits of a better step always rank higher."""
    expression: str | None
    enough: int
    """Number of hits of better steps above which this one is skipped."""
    max_ranked: int


class Index:
    """Index of all documents, by URI.

    Raises:
        sqlite3.Error: The engine is missing (a build without FTS5), or its file cannot be written.
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
        """Begin a transaction: many documents are written faster together."""
        if not self._database.in_transaction:
            self._database.execute("BEGIN")

    def commit(self) -> None:
        """Commit the transaction."""
        if self._database.in_transaction:
            self._database.execute("COMMIT")

    def put(self, info: ResourceInfo, parts: list[SearchPart]) -> None:
        """Add a document, replacing the previous one with its URI."""
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
        """Remove a document; an unknown one has no effect."""
        number = self._numbers.pop(uri, None)
        if number is not None:
            del self._uris[number]
            first = number * MAX_PARTS
            self._database.execute(
                "DELETE FROM parts WHERE rowid BETWEEN ? AND ?", (first, first + MAX_PARTS - 1)
            )

    def find(self, query: Query, type_: str | None, limit: int) -> list[MatchedSection]:
        """Return the sections that match best.

        Args:
            query: Words to search for.
            type_: Only resources of this type.
            limit: Maximum number of sections.
        """
        until_s = monotonic() + DEADLINE_S
        self._database.set_progress_handler(lambda: monotonic() > until_s, _STEPS)
        found: dict[tuple[str, str | None], MatchedSection] = {}
        try:
            # Headings first: they say what a text is about, and words of many texts are in few headings.
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
        """Stop the running query; may be called on any thread."""
        self._database.interrupt()

    def close(self) -> None:
        """Drop everything."""
        self._database.close()

    def _collect(
        self, found: dict[tuple[str, str | None], MatchedSection], expression: str, step: _Step, limit: int
    ) -> None:
        for row, rank in self._ranked(expression, limit + len(found), step.max_ranked):
            # Quoting reads the text again, so only for results.
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
        """Return the text of a part around the words, in time linear in its length."""
        select = "SELECT {} FROM parts WHERE parts MATCH ? AND rowid = ?"
        # There is a separator between two matches, so a short part needs no count.
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
        # Skipping a row costs a fraction of ranking it.
        beyond = execute(
            "SELECT rowid FROM parts WHERE parts MATCH ? LIMIT 1 OFFSET ?", (expression, max_ranked)
        ).fetchone()
        rows = execute(
            "SELECT rowid, rank FROM parts WHERE parts MATCH ? AND rowid < ? ORDER BY rank LIMIT ?",
            (expression, beyond[0] if beyond else _NO_ROW, limit),
        ).fetchall()
        return ((row, max(0.0, -rank)) for row, rank in rows)


def _beginning(marked: str) -> str:
    """Return the text from its first match on, as far as it is quoted."""
    start = marked.index(_MARK)
    text = marked[start:].replace(_MARK, "")
    quoted = " ".join(text[:_MAX_QUOTED].split()[:_SNIPPET_TOKENS])
    return f"{'…' if start else ''}{quoted}{'…' if len(quoted) < len(text.rstrip()) else ''}"


def _place() -> str:
    """Return the name of a private database: a temporary file, or memory if no file can be created."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return ":memory:"
    return ""
