"""`choirbook list`, `read` and `check`: inspect a library without serving it."""

from __future__ import annotations

import os
import sys

import msgspec

from choirbook.catalog.catalog import Catalog
from choirbook.cli.findings import Finding, FindingLevel
from choirbook.cli.lint import review, review_names
from choirbook.cli.output import console, say, say_document, say_json
from choirbook.documents.media_types import is_textual
from choirbook.documents.rendering import listed
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import SECTION, cut, section_info
from choirbook.errors import InvalidParams, ResourceNotFound, ResourceUnreadable
from choirbook.http.query import fields_in
from choirbook.library.scanner import load_catalog, open_library
from choirbook.model import Form, ResourceInfo, SourceError, SourceProblem
from choirbook.settings import Settings
from choirbook.sources.filesystem import FilesystemSource
from choirbook.uri import canonical_uri


def list_resources(settings: Settings, *, as_json: bool) -> None:
    """Print the resources that would be served."""
    _, catalog, _ = _load(settings)
    infos = catalog.page(None, sys.maxsize).infos
    if as_json:
        say_json([{**listed(info), "path": info.path} for info in infos])
        return
    from rich.table import Table

    table = Table("URI", "Type", "Bytes", "Title", box=None, pad_edge=False)
    for info in infos:
        table.add_row(info.uri, info.type, f"{info.size:,}", info.title)
    console().print(table)
    say(f"{len(infos)} resources")


def read_resource(settings: Settings, uri: str) -> None:
    """Write the bytes of a resource or section to stdout: those that HTTP sends for `?format=raw`.

    On a terminal, control characters are escaped.

    Raises:
        RequestError: The URI names nothing, or the document cannot be read.
    """
    source, catalog, _ = _load(settings)
    document, _, query = uri.partition("?")
    fields = fields_in(query)
    if fields.get("format", Form.RAW) != Form.RAW:
        raise InvalidParams(
            "'choirbook read' always writes the raw bytes of a document. Remove 'format' from the URI's "
            "query."
        )
    try:
        info = catalog.locate(catalog.rules.resolve(canonical_uri(document), fields))
    except ResourceNotFound as error:
        raise ResourceNotFound(f"{error.message} Run 'choirbook list' to see all resources.") from None
    try:
        content = source.read(info.path, info.version)
    except SourceError as error:
        raise ResourceUnreadable(f"The document of {info.uri} cannot be read: {error}.") from error
    wanted = fields.get(SECTION)
    if wanted is not None:
        found = section_info(info, wanted, outline_of(info.media_type, content.data)).section
        assert found is not None, "the outline is known"
        content = cut(content, found)
    if sys.stdout.isatty():
        _show(info, uri, content.data)
        return
    sys.stdout.buffer.write(content.data)
    sys.stdout.buffer.flush()


def _show(info: ResourceInfo, uri: str, data: bytes) -> None:
    reason = info.media_type
    if is_textual(info.media_type):
        try:
            say_document(data)
        except UnicodeDecodeError:
            reason = "not UTF-8"
        else:
            return
    raise ResourceUnreadable(
        f"The document is {reason}, which a terminal cannot show. "
        f"Write it to a file: choirbook read {uri} > FILE"
    )


def check_library(settings: Settings, *, as_json: bool) -> bool:
    """Print the problems of a library.

    Returns:
        Whether there are none; warnings do not count.
    """
    source, catalog, problems = _load(settings)
    found = [
        *review_names(os.listdir(settings.root)),  # noqa: PTH208 - names are all that is wanted
        *_of_source(problems),
        *_of_catalog(catalog),
        *review(catalog.rules, catalog.documents()),
        *_of_reading(source, catalog),
    ]
    findings = [
        msgspec.structs.replace(each, path=_printable(each.path), reason=_printable(each.reason))
        for each in found
    ]
    problem = [finding for finding in findings if finding.level is FindingLevel.PROBLEM]
    warning = [finding for finding in findings if finding.level is FindingLevel.WARNING]
    if as_json:
        say_json({"resources": len(catalog), "problems": problem, "warnings": warning})
        return not problem
    for finding in problem + warning:
        where = f" ({finding.uri})" if finding.uri else ""
        level = "warning: " if finding.level is FindingLevel.WARNING else ""
        say(f"{level}{finding.path}: {finding.reason}{where}")
    count = f"{len(problem)} problem(s)" if problem else "no problems"
    count += f", {len(warning)} warning(s)" if warning else ""
    say(f"{len(catalog)} resources, {count}")
    return not problem


def _load(settings: Settings) -> tuple[FilesystemSource, Catalog, tuple[SourceProblem, ...]]:
    source, rules = open_library(settings.root, settings.max_document_bytes)
    catalog, problems = load_catalog(source, rules)
    return source, catalog, problems


def _of_source(problems: tuple[SourceProblem, ...]) -> list[Finding]:
    return [Finding("file", problem.path, problem.reason) for problem in problems]


def _of_catalog(catalog: Catalog) -> list[Finding]:
    findings = [Finding("name", problem.path, problem.reason) for problem in catalog.problems()]
    for collision in catalog.collisions():
        reason = f"has the same URI as {collision.served}, which is served instead"
        findings += [Finding("collision", path, reason, collision.uri) for path in collision.hidden]
    return findings


def _of_reading(source: FilesystemSource, catalog: Catalog) -> list[Finding]:
    findings = []
    for info in catalog.page(None, sys.maxsize).infos:
        try:
            source.read(info.path, info.version)
        except SourceError as error:
            reason = str(error).removeprefix(f"{info.path}: ")
            findings.append(Finding("unreadable", info.path, reason, info.uri))
    return findings


def _printable(path: str) -> str:
    """Escape the bytes of a file name that are not UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
