"""Whatever reads text of others takes a time that grows with the text, and no faster (promise 19)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import NamedTuple

import pytest

from choirbook.catalog.cursors import decode_cursor
from choirbook.catalog.rules import Collection, default_rules, parse_rules
from choirbook.catalog.template_values import VariableValues
from choirbook.dashboard.preview import MAX_MARKDOWN, preview
from choirbook.documents.excerpts import decode_continuation
from choirbook.documents.metadata import headline_of
from choirbook.documents.placeholders import fill, find_placeholders
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import split_section
from choirbook.errors import ChoirbookError
from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.conditional import matches, requested_range, unmodified_since
from choirbook.http.exchange import Request
from choirbook.http.negotiation import choose_exposition, negotiate
from choirbook.http.query import fields_of
from choirbook.http.request_ids import request_id_of, trace_id_of
from choirbook.mcp.messages import decode
from choirbook.observe.tracing.context import context_of_message, parse_context
from choirbook.search.query import parse_query
from choirbook.servers.asgi.server import AsgiHeaders
from choirbook.sources.ignore_rules import ignores, parse_ignore
from choirbook.sources.wildmatch import MAX_STARS
from choirbook.uri import UriTemplate, canonical_uri
from choirbook.usage.clients import of_user_agent
from tests.support.linear import Parse, hold

Make = Callable[[int], str]
XML, MARKDOWN = "application/xml", "text/markdown"


def repeated(piece: str, before: str = "", after: str = "") -> Make:
    """Return what makes texts of one piece again and again."""
    return lambda size: before + piece * max(1, (size - len(before) - len(after)) // len(piece)) + after


def tolerant(parse: Parse) -> Parse:
    """Return a parser that may refuse what it is given."""

    def parse_or_refuse(text: str) -> object:
        try:
            return parse(text)
        except (ChoirbookError, ValueError):
            return None

    return parse_or_refuse


def with_header(name: str, use: Callable[[AsgiHeaders], object]) -> Parse:
    return lambda text: use(AsgiHeaders([(name.encode(), text.encode("latin-1", "replace"))]))


def with_query(text: str) -> object:
    return fields_of(Request("GET", "/", text, AsgiHeaders([])))


def checked(headers: AsgiHeaders) -> object:
    return EDGE.check(Request("GET", "/", "", headers))


class Subject(NamedTuple):
    """A parser, and what it is held to."""

    parse: Parse
    us_per_character: float
    largest: int
    inputs: dict[str, Make]


# What stands for something in one of the grammars, alone and before an end that does not fit.
PIECES = [
    "a",
    " ",
    "\t",
    "\n",
    "\r\n",
    "#",
    "# ",
    "-",
    "- ",
    "=",
    "*",
    "_",
    "`",
    "~",
    ">",
    "<",
    "[",
    "]",
    "(",
]
PIECES += [
    "[](",
    "![",
    "[a](",
    "{",
    "{{",
    "{{ ",
    "{{a",
    "}}",
    "<a ",
    "</",
    "<!--",
    "<![CDATA[",
    "<variable ",
    "&",
]
PIECES += [
    "'",
    '"',
    "a=",
    "a='",
    'a="',
    "a: ",
    "a:\n",
    "? ",
    "&a ",
    "*a ",
    "%",
    "%41",
    "/",
    "//",
    "a/",
    ".",
    "\\",
]
PIECES += [
    ",",
    ";",
    "q=0.1,",
    ";q=",
    '"a",',
    "W/",
    "0",
    "1-",
    "é",
    "\u202e",
    "\x1b",
    "\x00",
    "a b",
    "++",
    "=\n",
]
ANYTHING = {f"{piece!r} {end!r}": repeated(piece, after=end) for piece in PIECES for end in ("", "x", "\nx")}


def among(*pieces: str, before: str = "", after: str = "") -> dict[str, Make]:
    return {f"{before!r} {piece!r} {after!r}": repeated(piece, before, after) for piece in pieces}


MARKDOWN_PIECES = (
    "#",
    " ",
    "# ",
    "[",
    "![",
    "[](",
    "[]",
    "<a ",
    "`",
    "*",
    "_",
    "-",
    "- ",
    "-- ",
    "=",
    "> ",
    "```\n",
)
HEADLINES = {
    **ANYTHING,
    **among(" ", "\t ", "#", " #", "# ", "\t#", " # ", before="# a", after="b"),
    **among(*MARKDOWN_PIECES, before="# ", after="x"),
    **among(*MARKDOWN_PIECES, before="a\n", after="x"),
    **among(
        "[",
        "{",
        "- ",
        "? ",
        "[a, ",
        "{a: ",
        "a: ",
        "'a' ",
        "!",
        "*a ",
        "&a ",
        before="---\nx: ",
        after="\n---\n",
    ),
    **among("- ", "? ", "a:\n", "a: |\n", "\n", "#\n", "a: b\n", '"', "'", before="---\n", after="\n---\n"),
    "aliases of aliases": lambda size: (
        "---\na0: &a0 [x]\n"
        + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, size // 24))
        + "---\n"
    ),
    "aliases of one list": lambda size: "---\na: &a [x]\nb: [" + "*a, " * (size // 4) + "]\n---\n",
}
OUTLINES = {
    **ANYTHING,
    **among(*MARKDOWN_PIECES, before="~~~\n~~~\n", after="\nx"),
    **among(*MARKDOWN_PIECES, before="# ", after="x"),
    **among("-", "- ", "--\t", "+", ".", "0", before="a\n", after="x"),
    **among(
        "# a\n",
        "a\n===\n",
        "- a\n",
        "> a\n",
        "1. a\n",
        "[a]: /b\n",
        "a\n-",
        "<b>\n",
        "* a\n> b\n",
        "|a|\n|-|\n",
    ),
    **among("# [\n", "# `\n", "# *a\n", "# <a \n", "# [a](b\n", "# ![\n", "# &\n", before="~~~\n~~~\n"),
}
ELEMENTS = {
    **ANYTHING,
    **among(
        "<a>",
        "<a/>",
        "<a name='b'/>",
        "<!-- -->",
        "<![CDATA[]]>",
        "<?a b?>",
        "&amp;",
        before="<r>",
        after="</r>",
    ),
    **among("a", "<", "-", "]", "&lt;", " ", before="<r><!--", after="</r>"),
    "nested": lambda size: "<a>" * (size // 7) + "</a>" * (size // 7),
    "attributes": lambda size: "<a " + " ".join(f"a{n}=''" for n in range(size // 9)) + "/>",
    "default attributes": lambda size: (
        "<!DOCTYPE r [<!ATTLIST a "
        + "".join(f"a{n} CDATA 'x' " for n in range(size // 36))
        + ">]><r>"
        + "<a/>" * (size // 8)
        + "</r>"
    ),
    "entities": lambda size: (
        "<!DOCTYPE r [<!ENTITY a '" + "x" * (size // 2) + "'>]><r>" + "&a;" * (size // 6) + "</r>"
    ),
}
TEMPLATES = {
    **ANYTHING,
    **among("a", "a ", "a=", "a='", 'a="', "-", "a = ", " ", before="<variable ", after="></variable>"),
    **among("<variable>", "<variable name='a'>", "</variable>", "<variable name='a'>x</variable>{{a}}"),
    **among("{{a}} ", "{{ a", "{{\t", "{{aaaa.b-", "{ ", "<![CDATA[{{a}}", "<{{a}}"),
}
PATHS = {
    **among("a", "a/", "ab", "/", "b", "a.", "-", "x-"),
    **among("a", "a/", "ab/", "b", "-", after="b.md"),
}
PATTERNS: tuple[str, ...] = (
    "*a*a*a*ab",
    "**/*a*a*a*b",
    "**a**a**a**b",
    "*a*b/**/*a*b/**/*c",
    "{x}a{y}a{z}b",
    "{+x}a{+y}a{+z}b",
)
PATTERNS += ("**/**/**/{x}/*a", "{+x}/{y}-{z}", "**/a**/a**/b", "*" * 200 + "b", "*a" * 31 + "b")
IGNORE_FILES = {
    **ANYTHING,
    **among("*", "**/", "?", "[", "[]", "[[:", "[!a-", "\\", "!", "#", "a\n", "*a*\n", "[a-z]\n"),
    **among("[a", "[[:alpha:]", "[^", before="x", after="]"),
}
RULES = {
    **ANYTHING,
    **among(
        "a = 1\n",
        "[a]\n",
        "[[collection]]\n",
        "[a.",
        "{a=",
        "a.",
        "'''",
        '"""',
        "a = '",
        "\\u0041",
        "[[a]]\n",
    ),
    **among("[", "{a = ", "1", "_1", "1.", "a.", "'", before="a = "),
    "dotted keys": lambda size: ".".join("a" for _ in range(size // 2)) + " = 1",
    "tables": lambda size: "".join(f"[a.b{n}]\n" for n in range(size // 9)),
    "nested tables": lambda size: "".join(f"[{'.'.join(['a'] * n)}]\n" for n in range(1, int(size**0.5))),
    "a line in each collection": lambda size: '[[collection]]\ntype = "x"\n' * (size // 24) + "z = 1\n",
    "stars": lambda size: '[[collection]]\ntype="x"\nuri="mcp://x/a"\nfiles="' + "*a" * (size // 2) + '"\n',
    "variables": lambda size: (
        '[[collection]]\ntype="x"\nuri="mcp://x/a"\nfiles="'
        + "".join(f"{{a{n}}}b" for n in range(size // 8))
        + '"\n'
    ),
}
MESSAGES = {
    **among("[", "{", '{"a":', '["a",', '"', "\\", "0", "-", " ", "é"),
    **among(
        "[", '{"a":', '"a",', "0,", "\\u0041", before='{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":'
    ),
    "a batch": lambda size: "[" + ",".join(['{"jsonrpc":"2.0","id":1,"method":"ping"}'] * (size // 41)) + "]",
    "a batch of what is none": lambda size: "[" + ",".join("1" * (size // 2)) + "]",
    "a long id": lambda size: '{"jsonrpc":"2.0","method":"ping","id":' + "1" * size + "}",
    "a long method": lambda size: '{"jsonrpc":"2.0","id":1,"method":"' + "a" * size + '"}',
    "many members": lambda size: "{" + ",".join(f'"a{n}":1' for n in range(size // 8)) + "}",
}

NAMES = VariableValues(f"{number:05}-name-of-{number % 97}" for number in range(20_000))
CATALOG_TEMPLATES = [
    UriTemplate("mcp://x/" + text) for text in ("{a}-{b}-{c}-{d}", "{+a}/{b}-{c}", "{a}a{b}a{+c}")
]
EDGE = AllowedHosts(("localhost",), ("http://a",))


def claims(pattern: str) -> Parse:
    collection = Collection("x", "mcp://resources/x", pattern)
    return collection.claim


def ignoring(*patterns: str) -> Parse:
    chain = (parse_ignore("\n".join(patterns).encode()),)
    return lambda text: ignores(chain, text, is_directory=False)


# Without variables, which rules have and ignore files do not, and within the bound on stars.
IGNORING = ignoring(
    *(each for each in PATTERNS if "{" not in each and each.count("*") <= MAX_STARS),
    "[[:alpha:]]*a?*b",
    "!/**/a*b",
)


def headline(text: str) -> object:
    return headline_of(MARKDOWN, text.encode())


def templates(text: str) -> object:
    return [each.match("mcp://x/" + text) for each in CATALOG_TEMPLATES]


SUBJECTS: dict[str, Subject] = {
    "titles of markdown": Subject(headline, 15, 32_768, HEADLINES),
    "titles of XML": Subject(lambda text: headline_of(XML, text.encode()), 4, 131_072, ELEMENTS),
    "outlines of markdown": Subject(lambda text: outline_of(MARKDOWN, text.encode()), 80, 32_768, OUTLINES),
    "outlines of XML": Subject(lambda text: outline_of(XML, text.encode()), 15, 131_072, ELEMENTS),
    "placeholders": Subject(lambda text: find_placeholders(text, XML), 8, 131_072, TEMPLATES),
    "filling in": Subject(lambda text: fill(text, XML, {"a": "b"}), 15, 131_072, TEMPLATES),
    "previews": Subject(
        lambda text: preview("t", MARKDOWN, text.encode(), "/s"), 120, MAX_MARKDOWN // 2, OUTLINES
    ),
    "rules": Subject(tolerant(lambda text: parse_rules(text, "x")), 40, 32_768, RULES),
    "ignore files": Subject(tolerant(lambda text: parse_ignore(text.encode())), 80, 32_768, IGNORE_FILES),
    "paths in ignore files": Subject(IGNORING, 40, 8192, PATHS),
    "default rules": Subject(tolerant(default_rules("x").claim), 8, 8192, PATHS),
    "templates of URIs": Subject(templates, 40, 8192, PATHS),
    **{
        f"paths of {pattern[:20]}": Subject(tolerant(claims(pattern)), 60, 8192, PATHS)
        for pattern in PATTERNS
    },
    "URIs": Subject(tolerant(lambda text: canonical_uri("mcp://a/" + text)), 4, 131_072, ANYTHING),
    "sections of URIs": Subject(
        tolerant(lambda text: split_section("a?section=" + text)), 4, 131_072, ANYTHING
    ),
    "queries": Subject(tolerant(parse_query), 8, 131_072, ANYTHING),
    "queries of HTTP": Subject(tolerant(with_query), 8, 131_072, ANYTHING | among("a=b&", "&", "a&", "%zz")),
    "messages": Subject(lambda text: decode(text.encode()), 8, 131_072, MESSAGES | ANYTHING),
    "traces in messages": Subject(lambda text: context_of_message(text.encode()), 8, 131_072, MESSAGES),
    "cursors": Subject(tolerant(decode_cursor), 4, 131_072, ANYTHING),
    "continuations": Subject(tolerant(decode_continuation), 4, 131_072, ANYTHING),
    "completion": Subject(
        lambda text: NAMES.like(text[:2048], 10), 200, 2048, among("a", "0", "-", "é", "00-name")
    ),
    "Accept": Subject(tolerant(lambda text: negotiate(text, text, None, MARKDOWN)), 15, 65_536, ANYTHING),
    "Accept of metrics": Subject(choose_exposition, 15, 65_536, ANYTHING),
    "If-None-Match": Subject(lambda text: matches(text, '"a"'), 8, 65_536, ANYTHING),
    "If-Modified-Since": Subject(lambda text: unmodified_since(text, 0), 15, 65_536, ANYTHING),
    "Range": Subject(
        tolerant(lambda text: requested_range(text, 9)),
        8,
        65_536,
        ANYTHING
        | among(" ", "0", "-", before="bytes=")
        | among(" ", before="bytes", after="x")
        | among(" ", before="bytes=", after="x")
        | among(" ", before="bytes=1-", after="x"),
    ),
    "traceparent": Subject(parse_context, 8, 65_536, ANYTHING),
    "traceparent in a log": Subject(with_header("traceparent", trace_id_of), 8, 65_536, ANYTHING),
    "X-Request-Id": Subject(with_header("x-request-id", request_id_of), 8, 65_536, ANYTHING),
    "Host": Subject(with_header("host", checked), 8, 65_536, ANYTHING | among("[", "a:", ":", "1.")),
    "Origin": Subject(
        with_header("origin", checked), 8, 65_536, ANYTHING | among("1", before="http://localhost:")
    ),
    "User-Agent": Subject(of_user_agent, 8, 65_536, ANYTHING),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_parser_takes_a_time_for_each_character(name: str) -> None:
    subject = SUBJECTS[name]
    faults = []
    for kind, make in subject.inputs.items():
        try:
            hold(subject.parse, make, subject.us_per_character, subject.largest)
        except AssertionError as error:
            faults.append(f"{kind}: {error}")
    assert not faults, "\n".join(faults)


EXPANDING = {
    "titles of markdown": 60,
    "outlines of XML": 60,
    "filling in": 60,
    "rules": 600,
    "messages": 200,
    "Accept": 200,
}
"""Parsers that build something, and how many bytes of memory a character may take at its peak."""


@pytest.mark.parametrize("name", EXPANDING)
def test_a_parser_takes_a_memory_for_each_character(name: str) -> None:
    """Aliases and entities that stand for each other are not put in each other's place."""
    subject, size = SUBJECTS[name], 16_384
    for kind, make in subject.inputs.items():
        text = make(size)
        subject.parse(text)
        tracemalloc.start()
        subject.parse(text)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes <= 100_000 + EXPANDING[name] * size, f"{kind}: {peak_bytes:,} bytes"
