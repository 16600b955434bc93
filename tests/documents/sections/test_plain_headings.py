"""Headings found without a parser are those that CommonMark's parser finds."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from choirbook.documents.sections.plain_headings import plain_headings
from choirbook.settings import STARTER_LIBRARY
from tests.support.servers import REPOSITORY

FRONT_MATTER = re.compile(rb"\A---\n.*?\n---\n", re.DOTALL)
PARSER = MarkdownIt()
PARSER.core.ruler.enableOnly(["normalize", "block"])


def parsed(data: bytes) -> list[tuple[str, int, int]]:
    tokens = PARSER.parse(data.decode())
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return [
        (tokens[index + 1].content, int(token.tag[1:]), starts[token.map[0]])
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.map is not None
    ]


def plain(data: bytes) -> list[tuple[str, int, int]] | None:
    found = plain_headings(data, 0)
    if found is None:
        return None
    return [(heading.content.decode(), heading.level, heading.start) for heading in found]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# A\n\ntext\n\n- a list\n  with more\n\n## B ##\n\n```sh\n# no\n   ```\n\n---\n\n#### C#\n# ##\n#\n",
        "```\n# never closed\n",
        "a\n# interrupts\n- b\n# ends the list\n> q\n# ends the quotation\n",
        "| a | b |\n| --- | --- |\n# ends the table\n",
        "`` ` ``\n# `code` and *more*\n",
        "1. one\n2. two\n\n# After\n",
    ],
)
def test_a_plain_document_needs_no_parser(text: str) -> None:
    assert plain(text.encode()) == parsed(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "Under\n=====\n",
        "Under\n---\n",
        "Under\n-\n",
        " # indented\n",
        "> # quoted\n",
        "- # listed\n",
        "<div>\n\n# x\n",
        "<!--\n# x\n-->\n",
        "- ```\n  # x\n  ```\n",
        "~~~\n# x\n~~~\n",
        "``` a`b\n# x\n",
        "# x\r\n",
        "# [x]\n\n[x]: /y\n",
        "# \0\n",
        "\ufeff# x\n",
    ],
)
def test_what_is_in_doubt_is_left_to_the_parser(text: str) -> None:
    assert plain(text.encode()) is None


def test_what_is_before_the_start_is_passed_over() -> None:
    data = b"---\n# no: heading\n---\n# A\n"
    found = plain_headings(data, data.index(b"# A"))
    assert found is not None
    assert [heading.content for heading in found] == [b"A"]


LINES = [
    "# a",
    "## b ##",
    "#",
    "###### c #",
    "####### d",
    "#e",
    "# f\t#",
    "- g",
    "  h",
    "1. i",
    "* * *",
    "***",
    "---",
    "-",
    "===",
    "```",
    "```py",
    "````",
    "   ```",
    "    ```",
    "~~~",
    "``` x`",
    "> j",
    "    k",
    "",
    " ",
    "\t",
    "text",
    "<b>",
    "<!--",
    "-->",
    "[l]: /m",
    "[n]:",
    "| o |",
    "| - |",
    "    # p",
    "\\# q",
    "é # r",
    "+ s",
    "# `t`",
    "2) u",
]


@given(st.lists(st.sampled_from(LINES), max_size=10).map("\n".join))
@example("[a]: /b '\n# c\n'")
def test_where_no_parser_is_needed_it_would_find_the_same(text: str) -> None:
    found = plain(text.encode())
    assert found is None or found == parsed(text.encode())


@given(st.text(alphabet="#`~-=> \n*1.a<é\t", max_size=40))
def test_the_same_holds_for_any_characters_that_matter(text: str) -> None:
    found = plain(text.encode())
    assert found is None or found == parsed(text.encode())


def test_the_same_holds_for_real_libraries() -> None:
    elsewhere = Path(os.environ.get("TESTS_LIBRARIES", REPOSITORY.parent / "shared" / "libraries"))
    outcomes = []
    for root in (STARTER_LIBRARY, elsewhere):
        for path in root.rglob("*.md"):
            data = FRONT_MATTER.sub(b"", path.read_bytes())
            found = plain(data)
            outcomes.append(found is not None)
            assert found is None or found == parsed(data), path
    assert any(outcomes)
