"""Review of a library's rules for unintended effects. Pure: rules and paths in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from choirbook.catalog.rules import RULES_FILE, Collection, Rules, collection_line
from choirbook.cli.findings import Finding, FindingLevel
from choirbook.errors import InvalidUri
from choirbook.sources.ignore_rules import IGNORE_FILE, is_hidden

SHOWN_FILES = 5
"""Maximum number of unmatched files shown; the others are counted."""


def review(rules: Rules, paths: Iterable[str]) -> Iterator[Finding]:
    """Compare the rules of a `choirbook.toml` with the existing files.

    Args:
        rules: Rules of the library; the default ones, which fit any library, have no findings.
        paths: Paths of all documents of the source, served or not.
    """
    if rules.text is None:
        return
    matched, owned, defaulted = Counter[int](), Counter[int](), set[tuple[int, str]]()
    unmatched = []
    for path in sorted(paths):
        if path == RULES_FILE:
            continue
        numbers = [number for number, each in enumerate(rules.collections) if _matches(each, path)]
        matched.update(numbers)
        if numbers:
            owned[numbers[0]] += 1
            defaulted |= {(numbers[0], each) for each in _defaults_of(rules.collections[numbers[0]], path)}
        else:
            unmatched.append(path)
    for number, collection in enumerate(rules.collections):
        where = f"line {collection_line(rules.text, number + 1)}: collection '{collection.type}'"
        yield from _of_collection(collection, where, matched[number], owned[number])
        if owned[number]:
            for variable in collection.defaults:
                if (number, variable) not in defaulted:
                    yield _of_default(collection, where, variable)
    if unmatched:
        yield _of_unmatched(unmatched)


def review_names(names: Iterable[str]) -> Iterator[Finding]:
    """Find files in the library's directory with names similar to those that Choirbook reads there."""
    for name in sorted(names):
        for wanted in (RULES_FILE, IGNORE_FILE):
            if name != wanted and name.lower() == wanted:
                reason = f"is ignored because its name has upper-case letters. Rename it to {wanted}"
                yield Finding("rules-file", name, reason)


def _matches(collection: Collection, path: str) -> bool:
    try:
        return collection.claim(path) is not None
    except InvalidUri:
        # Its name is reported elsewhere.
        return True


def _defaults_of(collection: Collection, path: str) -> Iterator[str]:
    """Return the variables that have their default value in a file's URI."""
    try:
        claim = collection.claim(path)
    except InvalidUri:
        return
    values = None if claim is None else collection.template.match(claim.uri)
    if values is not None:
        yield from (each for each, default in collection.defaults.items() if values.get(each) == default)


def _of_collection(collection: Collection, where: str, matched: int, owned: int) -> Iterator[Finding]:
    if not matched:
        hint = "; files and directories with names that begin with a dot are never served"
        reason = f"{where}: files '{collection.files}' matches no file"
        yield Finding("empty", RULES_FILE, reason + (hint if is_hidden(collection.files) else ""))
    elif not owned:
        files = "the file" if matched == 1 else f"all {matched} files"
        reason = (
            f"{where}: earlier collections already match {files} that it matches; move it up, or remove it"
        )
        yield Finding("shadowed", RULES_FILE, reason)


def _of_default(collection: Collection, where: str, variable: str) -> Finding:
    default = collection.defaults[variable]
    reason = f"{where}: no document has the default {variable} = '{default}', so it creates no alias"
    return Finding("default", RULES_FILE, reason, level=FindingLevel.WARNING)


def _of_unmatched(paths: list[str]) -> Finding:
    files = "1 file matches" if len(paths) == 1 else f"{len(paths)} files match"
    shown = ", ".join(paths[:SHOWN_FILES])
    more = f" and {len(paths) - SHOWN_FILES} more" if len(paths) > SHOWN_FILES else ""
    return Finding(
        "unmatched", RULES_FILE, f"{files} no collection: {shown}{more}", level=FindingLevel.WARNING
    )
