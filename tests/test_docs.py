"""Code in the documents is code that works."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from choirbook.catalog.rules import parse_rules
from choirbook.settings import Settings
from choirbook_perf.scenario import parse as parse_scenario
from choirbook_perf.slo import parse as parse_thresholds

ROOT = Path(__file__).parent.parent
_PAGES = [path for path in (ROOT / "docs").rglob("*.md") if ".template." not in path.name]
_ROOT_PAGES = [
    ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
]
DOCUMENTS = [*_ROOT_PAGES, *sorted(_PAGES)]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#]+)\)")
_ANCHORED = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:src|scripts|tests|examples|docs)/[\w./-]+)`")


def _blocks(language: str) -> list[str]:
    return [body for path in DOCUMENTS for kind, body in _FENCE.findall(path.read_text()) if kind == language]


@pytest.mark.parametrize("block", _blocks("json"))
def test_json_in_the_documents_parses(block: str) -> None:
    assert json.loads(block)


@pytest.mark.parametrize("block", _blocks("toml"))
def test_rules_and_scenarios_in_the_documents_are_usable(block: str) -> None:
    assert tomllib.loads(block)
    if "[[task]]" in block:
        assert parse_scenario(block, "docs").tasks
    elif "thresholds" in block:
        assert parse_thresholds(block, "docs")
    else:
        assert parse_rules(block, "docs").collections


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_in_the_documents_runs(block: str) -> None:
    namespace: dict[str, object] = {}
    exec(compile(block, "document", "exec"), namespace)  # noqa: S102 - our own documents
    assert "app" in namespace


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_path_in_a_document_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    targets = [path.parent / link for link in _LINK.findall(text) if "://" not in link]
    targets += [ROOT / found for found in _PATH.findall(text)]
    missing = [str(target.relative_to(ROOT)) for target in targets if not target.exists()]
    assert missing == []


def test_the_readme_is_short_enough_for_a_newcomer() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900


def _anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text()))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_anchor_in_a_document_is_a_heading(path: Path) -> None:
    links = _ANCHORED.findall(path.read_text())
    missing = [
        (link, anchor)
        for link, anchor in links
        if anchor not in _anchors(path.parent / link if link else path)
    ]
    assert missing == []


def test_every_setting_that_a_document_names_exists() -> None:
    named = {name for path in DOCUMENTS for name in re.findall(r"CHOIRBOOK_([A-Z_]+)\b", path.read_text())}
    assert named
    assert {name.lower() for name in named} <= set(Settings.__struct_fields__)


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    pages = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
    assert re.findall(r"\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs" / "adr" / "README.md").read_text()) == pages
    for name in pages:
        assert (ROOT / "docs" / "adr" / name).read_text().startswith(f"# {int(name[:4])}. ")
