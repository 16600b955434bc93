"""Verdict as JUnit XML: a test case for each threshold. Pure.

A row that could not be decided is an error, not a skipped test: tools count skipped tests as fine.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from choirbook_perf import gate
from choirbook_perf.results import Result, Row

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot contain, even escaped."""


def export(result: Result) -> str:
    """Return the document."""
    name = _text(f"choirbook perf {result.label}".strip())
    elements = [_case(row, name) for row in result.verdict]
    counts = {
        "tests": len(elements),
        "failures": sum(case.find("failure") is not None for case in elements),
        "errors": sum(case.find("error") is not None for case in elements),
        "skipped": sum(case.find("skipped") is not None for case in elements),
    }
    common = {key: str(value) for key, value in counts.items()} | {"time": f"{result.duration_s:.3f}"}
    suites = ET.Element("testsuites", {"name": name, **common})
    suite = ET.SubElement(suites, "testsuite", {"name": name, **common, "timestamp": _timestamp(result)})
    suite.extend(elements)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _case(row: Row, suite: str) -> ET.Element:
    name = _text(f"{row.metric} {gate.limit_of(row)}")
    case = ET.Element("testcase", {"classname": suite, "name": name})
    told = _text(
        f"{row.metric} is {gate.value_of(row)}, the limit is {gate.limit_of(row)}."
        if row.outcome == "fail"
        else f"{row.outcome}: {row.reason}"
    )
    if row.outcome == "fail":
        ET.SubElement(case, "failure", {"type": "threshold", "message": told})
    elif gate.is_undecided(row):
        ET.SubElement(case, "error", {"type": row.outcome, "message": told})
    elif row.outcome == "not measured":
        ET.SubElement(case, "skipped", {"message": told})
    ET.SubElement(case, "system-out").text = _text(
        f"measured {gate.value_of(row)}; {gate.interval_of(row) or 'no interval'}; {row.requests} requests"
    )
    return case


def _timestamp(result: Result) -> str:
    """Return the start without its zone, which the format does not know: it is UTC."""
    return result.started.removesuffix("Z").removesuffix("+00:00")


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
