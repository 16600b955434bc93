"""Published results: nothing is kept or shown that its load generator may have caused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from choirbook_perf.errors import BadInput
from choirbook_perf.results import FORMAT, Generator, save
from choirbook_perf.runbook import measured, render
from tests.perf.sample_results import sample_result

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "performance"


def problems(document: dict[str, Any]) -> list[str]:
    """Return why a result of a load test may not be published."""
    found = []
    generator = document.get("generator")
    if document.get("format") != FORMAT:
        found.append(f"format {document.get('format')}")
    if generator is None:
        found.append("says nothing of its load generator")
    elif not generator.get("is_valid", True):
        found.append(f"an invalid load generator: {generator.get('reasons')}")
    found += [
        f"{row['metric']}: {row['reason']}"
        for row in document.get("verdict", [])
        if "load generator" in row.get("reason", "")
    ]
    return found


def load_tests() -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in sorted((ROOT / "docs").rglob("*.json")):
        document = json.loads(path.read_bytes())
        if isinstance(document, dict) and "series" in document and "timeline" in document:
            found.append((path, document))
    return found


def test_no_kept_result_is_of_an_invalid_load_generator() -> None:
    kept = load_tests()
    assert kept
    assert {str(path.relative_to(ROOT)): problems(document) for path, document in kept} == {
        str(path.relative_to(ROOT)): [] for path, _ in kept
    }


@pytest.mark.parametrize(
    "generator",
    [
        Generator(name="choirbook", is_checked=True, is_valid=False, reasons=["It waited for a core."]),
        Generator(name="locust", is_valid=False, reasons=["The load generator was short of CPU."]),
    ],
)
def test_a_result_of_an_invalid_load_generator_is_found_and_no_page_is_made_of_it(
    generator: Generator, tmp_path: Path
) -> None:
    made = msgspec.structs.replace(sample_result(), generator=generator)
    save(made, tmp_path / "kept.json")
    assert problems(json.loads((tmp_path / "kept.json").read_bytes()))
    with pytest.raises(BadInput, match=r"kept\.json cannot be published.*not fast enough"):
        measured.run(tmp_path, "kept.json")
    for directive in ("summary", "verdict", "percentiles", "locust"):
        (tmp_path / "runbook.template.md").write_text(f"{{{{ {directive} kept.json }}}}\n")
        with pytest.raises(BadInput, match="cannot be published"):
            render(tmp_path)
    with pytest.raises(BadInput, match="cannot be published"):
        measured.figure(tmp_path, "kept.json", "p95_ms")
