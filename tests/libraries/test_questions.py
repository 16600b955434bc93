"""From a question to the right section of a real library in two calls, with tools only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from mcp.client.client import Client
from mcp_types import TextContent

from tests.support.libraries import libraries
from tests.support.servers import DEADLINE_S, rsgi_command, running


class Question(NamedTuple):
    """A question of an agent, and the place of the answer."""

    library: str
    query: str
    section: str
    """URI of the section that has the answer."""
    answer: str
    """Words of it."""


STANDARDS = "mcp://resources/files/standards"
QUESTIONS = [
    Question(
        "gds-way",
        "Where should I store the service credentials of my app?",
        f"{STANDARDS}/storing-credentials.md?section=service-credentials",
        "secret management feature of your infrastructure or cloud provider",
    ),
    Question(
        "gds-way",
        "How do I review a pull request?",
        f"{STANDARDS}/pull-requests.md?section=reviewing-a-request",
        "Taking time to properly review a PR is as important as making the change",
    ),
    Question(
        "starter",
        "How do I wrap errors in Go?",
        "mcp://resources/patterns/go/errors?section=wrapping",
        "%w",
    ),
]


@pytest.fixture(
    params=[question for question in QUESTIONS if question.library in libraries()],
    ids=lambda question: question.query,
)
def question(request: pytest.FixtureRequest) -> Question:
    asked: Question = request.param
    return asked


@pytest.fixture
def url(question: Question, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = libraries()[question.library]
    with running(rsgi_command(root), tmp_path_factory.mktemp(question.library)) as server:
        yield server.mcp_url


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_search_then_read_finds_the_section_that_answers(
    url: str, question: Question, mode: str
) -> None:
    async with Client(url, mode=mode, cache=None, read_timeout_seconds=DEADLINE_S) as client:
        found = await client.call_tool("search", {"query": question.query})
        (best,) = [
            each for each in (found.structured_content or {})["results"] if each["uri"] == question.section
        ]
        read = await client.call_tool("read", {"uri": best["documentUri"], "section": best["section"]})

    text = read.content[0]
    assert isinstance(text, TextContent)
    assert question.answer in text.text
    assert (read.structured_content or {})["uri"] == question.section
    # The section, not the document that it is in.
    assert (read.structured_content or {})["tokens"] == best["tokens"] < 1000
