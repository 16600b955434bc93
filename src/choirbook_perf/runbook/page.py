"""Rendering of the template: each directive becomes a table of the file that it names.

A directive is a line of its own, `{{ percentiles baseline.json }}`: the table to show, and the files beside
the template. Its output depends only on those files, so that the page is the same wherever it is rendered.
"""

from __future__ import annotations

import re
from pathlib import Path

from choirbook_perf.errors import BadInput
from choirbook_perf.runbook.directives import DIRECTIVES

TEMPLATE = "runbook.template.md"
NOTE = "<!-- Made by `choirbook perf runbook` of {template} and the results beside it: change those. -->"

_DIRECTIVE = re.compile(r"^\{\{\s*(?P<what>[\w-]+)(?P<files>(?:\s+[\w./-]+)*)\s*\}\}$", re.MULTILINE)


def render(directory: Path) -> str:
    """Render the page.

    Args:
        directory: Contains the template, and the files that it names.

    Raises:
        BadInput: The template or a file cannot be used.
    """
    path = directory / TEMPLATE
    try:
        template = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"The template {path} cannot be read: {error.strerror}. Pass the directory of the results."
        ) from error
    page = _DIRECTIVE.sub(lambda found: _made(found, directory, path), template)
    if "{{" in page:
        line = page[: page.index("{{")].count("\n") + 1
        raise BadInput(
            f"{path}: something near line {line} of the page looks like a directive but is not one."
        )
    return f"{NOTE.format(template=TEMPLATE)}\n\n{page}"


def _made(found: re.Match[str], directory: Path, template: Path) -> str:
    what = found["what"]
    if what not in DIRECTIVES:
        known = ", ".join(sorted(DIRECTIVES))
        raise BadInput(f"{template} has the unknown directive {what!r}. There are: {known}.")
    wanted, make = DIRECTIVES[what]
    names = found["files"].split()
    if len(names) != wanted:
        raise BadInput(f"{template}: {what} takes {wanted} files, not {len(names)}.")
    return make(directory, *names)
