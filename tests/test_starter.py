"""The starter library is served whole, and is what the issue asks for."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from choirbook.library.scanner import load_catalog, open_library
from choirbook.settings import STARTER_LIBRARY
from tests.support.sources import MIB

ARTIFACTS = (
    "product-vision",
    "initiative",
    "epic",
    "prd",
    "hls",
    "backlog-story",
    "spike",
    "adr",
    "tech-spec",
    "implementation-task",
)
SOURCE, RULES = open_library(STARTER_LIBRARY, MIB)
CATALOG, PROBLEMS = load_catalog(SOURCE, RULES)
INFOS = CATALOG.page(None, 10_000).infos


def test_it_has_no_problems() -> None:
    assert PROBLEMS == ()
    assert CATALOG.problems() == []
    assert CATALOG.collisions() == []


@pytest.mark.parametrize(
    "uri",
    [
        "mcp://resources/sdlc/core",
        "mcp://resources/patterns/core",
        "mcp://resources/patterns/python/core",
        "mcp://resources/patterns/go/core",
        *(f"mcp://resources/templates/{artifact}-template" for artifact in ARTIFACTS),
    ],
)
def test_it_has(uri: str) -> None:
    assert CATALOG.find(uri) is not None


def test_it_has_enough_of_each_kind_and_nothing_else() -> None:
    patterns = [info.uri.split("/")[-2] for info in CATALOG.page(None, 10_000, "pattern").infos]
    assert patterns.count("python") >= 8
    assert patterns.count("go") >= 7
    assert (CATALOG.count("sdlc"), CATALOG.count("template"), CATALOG.count("file")) == (1, 10, 0)


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_every_document_has_a_headline_and_a_sensible_size(info: object) -> None:
    from choirbook.model import ResourceInfo

    assert isinstance(info, ResourceInfo)
    assert info.title not in {"", info.name}
    assert info.description
    assert 3_000 <= info.size <= 15_000


@pytest.mark.parametrize("path", sorted(STARTER_LIBRARY.glob("templates/*.xml")), ids=lambda path: path.name)
def test_every_template_is_well_formed(path: Path) -> None:
    assert ET.fromstring(path.read_text("utf-8")).tag  # noqa: S314 - the package's own file
