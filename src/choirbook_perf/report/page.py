"""Page around the sections: it needs no script and no network, and declares this to the browser. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from choirbook_perf.report import distributions, flames, generators, server, tables, timeline, verdicts
from choirbook_perf.report.parts import Section
from choirbook_perf.report.subjects import subjects
from choirbook_perf.results import Result
from choirbook_perf.templating import render

SECTIONS = (
    verdicts.verdict,
    tables.percentiles,
    distributions.latency,
    timeline.timeline,
    distributions.hits_and_misses,
    server.server,
    flames.flames,
    tables.failures,
    generators.generators,
    tables.environment,
)


def page(results: Sequence[Result]) -> str:
    """Build the report of some results, side by side in the given order."""
    shown = subjects(results)
    names = [subject.name for subject in shown]
    sections = [section for make in SECTIONS if (section := make(shown))]
    return framed(f"Choirbook performance: {', '.join(names)}", "Performance report", names, sections)


def framed(title: str, heading: str, names: Sequence[str], sections: Sequence[Section]) -> str:
    """Build a page of sections.

    Args:
        title: Title of the page in the browser.
        heading: Its heading.
        names: Names of what it shows.
        sections: Its sections, in order.
    """
    style = files("choirbook_perf.report").joinpath("page.css").read_text(encoding="utf-8")
    return render(
        "page.html",
        title=title,
        heading=heading,
        names=names,
        policy=_policy(style),
        style=Markup(style),  # noqa: S704 - a file of this package
        sections=sections,
    )


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
