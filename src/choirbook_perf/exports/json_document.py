"""A result as one small JSON document: verdict, latencies by kind, and what they depend on. Pure.

The result file has everything, in a format that changes with the program. This document is for other
programs: fields are only ever added.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from choirbook_perf import gate
from choirbook_perf.exports.groups import PERCENTS, groups
from choirbook_perf.results import Result


def export(result: Result) -> str:
    """Return the document, indented."""
    generator = result.generator
    document = {
        "label": result.label,
        "started": result.started,
        "duration_s": result.duration_s,
        "is_partial": result.is_partial,
        "outcome": gate.outcome(result.verdict),
        "verdict": [msgspec.to_builtins(row) for row in result.verdict],
        "requests": result.attempts(),
        "failures": result.failed(),
        "latencies": _groups(result),
        "failed": [msgspec.to_builtins(failure) for failure in result.failures],
        "generator": {
            "name": generator.name,
            "model": generator.model,
            "is_valid": generator.is_valid,
            "reasons": generator.reasons,
            "warnings": generator.warnings,
        },
        "target": msgspec.to_builtins(result.target),
        "environment": msgspec.to_builtins(result.environment),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _groups(result: Result) -> list[dict[str, Any]]:
    return [
        {
            "label": group.label,
            "value": group.value,
            "requests": len(group.latencies),
            "failures": group.failures,
            "mean_ms": round(group.latencies.mean_ms(), 6),
            "max_ms": group.latencies.max_ms(),
            "percentiles_ms": {
                f"{at:g}": ms for at, ms in zip(PERCENTS, group.percentiles_ms(), strict=True)
            },
        }
        for group in groups(result)
    ]
