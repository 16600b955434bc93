"""Page around the sections: it needs no script and no network, and declares this to the browser. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from choirbook_perf.markup import Markup, tag
from choirbook_perf.report import distributions, flames, server, tables, timeline, verdicts
from choirbook_perf.report.subjects import subjects
from choirbook_perf.results import Result

SECTIONS = (
    verdicts.verdict,
    tables.percentiles,
    distributions.latency,
    timeline.timeline,
    distributions.hits_and_misses,
    server.server,
    flames.flames,
    tables.failures,
    tables.environment,
)


def page(results: Sequence[Result]) -> str:
    """Build the report of some results, side by side in the given order."""
    style = files("choirbook_perf.report").joinpath("page.css").read_text(encoding="utf-8")
    shown = subjects(results)
    made = [section for make in SECTIONS if (section := make(shown))]
    title = "Choirbook performance: " + ", ".join(subject.name for subject in shown)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # Otherwise browsers request /favicon.ico from a server.
        tag("title", title),
        Markup(f"<style>{style}</style>"),
    )
    body = tag(
        "body",
        tag("a", "Skip to the verdict", href="#verdict", class_="skip"),
        tag(
            "header",
            tag("h1", "Performance report"),
            tag("p", " · ".join(one.name for one in shown)),
            _contents(made),
        ),
        tag("main", *made),
        tag(
            "footer",
            tag("p", "Made by choirbook perf report. This file is whole: it loads nothing from anywhere."),
        ),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _contents(sections: Sequence[Markup]) -> Markup:
    links = []
    for section in sections:
        # Every section begins with its heading, created by parts.section.
        name = section.partition('<h2 id="')[2].partition('"')[0]
        heading = Markup(section.partition('">')[2].partition("</h2>")[0].rpartition('">')[2])
        links.append(tag("li", tag("a", heading, href=f"#{name}")))
    return tag("nav", tag("ul", *links), aria_label="Contents")
