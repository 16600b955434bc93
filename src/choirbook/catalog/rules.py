"""Rules of a library: which files are served, under which URIs, as which type.

Pure: text and paths in, values out. The rules come from `choirbook.toml`; a library without one uses the
SDLC layout with a fallback to the relative path.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from choirbook.errors import InvalidLibrary, InvalidUri
from choirbook.text.former_name import former
from choirbook.text.globs import DIRECTORIES, Glob, Token, Wildcard
from choirbook.text.globs import named as named_wildcard
from choirbook.uri import UriTemplate, canonical_uri

RULES_FILE = "choirbook.toml"
FORMER_RULES_FILE = former(RULES_FILE)

_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
MAX_COLLECTIONS = 64
"""Maximum number of collections: every type is a set of metric series, whose number must be small and
known."""

MAX_KEY_PARTS = 16
"""Maximum number of parts in a dotted key. The parser's time is quadratic in their number; rules need two."""

_LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*\.[ \t]*){{{MAX_KEY_PARTS}}}"""
)

_FILE_TOKEN = re.compile(r"\*\*/|\*\*|\*|\{(\+?)([A-Za-z_][A-Za-z0-9_]*)\}")


class Claim(NamedTuple):
    """URIs under which the rules serve one file."""

    uri: str
    aliases: tuple[str, ...]
    type: str


class Collection:
    """One rule: a type, a URI template, a file pattern.

    Args:
        type: The metrics label `resource_type`: lower-case letters, digits, `-`, `_`.
        uri: A URI template, see `UriTemplate`.
        files: A path with `{variable}`s, `*` within a segment, and `**/` for any directories.
        defaults: Values under which a resource also has an alias without that variable's segment.
        description: Description of the collection, for the listing of templates.

    Raises:
        ValueError: The parts do not fit together; the message says which.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the word of the interface
        uri: str,
        files: str,
        defaults: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        if not _TYPE.match(type):
            raise ValueError(
                f"type {type!r} must be 1 to 32 characters of a-z, 0-9, '-' and '_', starting with a letter"
            )
        self.type = type
        try:
            self.template = UriTemplate(uri)
        except ValueError as error:
            raise ValueError(f"uri {error}") from None
        self.defaults = dict(defaults or {})
        self.description = description
        self.files = files
        self._files = _file_pattern(files)
        named = set(self._files.names)
        for variable in self.template.variables:
            if variable not in named:
                raise ValueError(f"uri has {{{variable}}}, which is missing in files {files!r}")
        for variable in self.defaults:
            if variable not in self.template.variables:
                raise ValueError(f"defaults has {variable!r}, which is missing in uri")
        self._check_template(uri)

    def claim(self, path: str) -> Claim | None:
        """Return the URIs of a file, or None if the collection does not match it.

        Raises:
            InvalidUri: The collection matches it, but its name cannot be part of a URI.
        """
        values = self._files.match(path)
        if values is None:
            return None
        uri = self.template.expand(values)
        aliases = dict.fromkeys(
            self.template.without(variable).expand(values)
            for variable, default in self.defaults.items()
            if values[variable] == default
        )
        return Claim(uri, tuple(alias for alias in aliases if alias != uri), self.type)

    def resolve(self, uri: str, values: Mapping[str, str]) -> str | None:
        """Return the URI that an alias stands for if a variable that it leaves out is given.

        Args:
            uri: Canonical, such as `mcp://resources/patterns/core`.
            values: Such as `{"language": "go"}`; other names are ignored.

        Raises:
            InvalidUri: A value cannot be part of a URI.
        """
        for variable in self.defaults:
            if variable in values:
                found = self.template.without(variable).match(uri)
                if found is not None:
                    return self.template.expand({**found, variable: values[variable]})
        return None

    def _check_template(self, uri: str) -> None:
        try:
            canonical_uri(re.sub(r"\{\+?\w+\}", "x", uri))
        except InvalidUri as error:
            raise ValueError(f"uri {uri!r}: {error.message}") from None


class Rules(NamedTuple):
    """All rules of a library; a file belongs to the first collection that matches it."""

    name: str
    collections: tuple[Collection, ...]
    follow_links: bool = False
    text: str | None = None
    """Text that the rules were read from; None for the default ones."""

    def claim(self, path: str) -> Claim | None:
        """Return the claim of a file, or None if no collection matches it.

        Raises:
            InvalidUri: See `Collection.claim`.
        """
        for collection in self.collections:
            found = collection.claim(path)
            if found is not None:
                return found
        return None

    def resolve(self, uri: str, values: Mapping[str, str]) -> str:
        """Return the URI meant by another one and values of variables; the URI itself if none applies.

        Raises:
            InvalidUri: See `Collection.resolve`.
        """
        for collection in self.collections:
            found = collection.resolve(uri, values)
            if found is not None:
                return found
        return uri

    @property
    def types(self) -> tuple[str, ...]:
        """Resource types, each once, in order."""
        return tuple(dict.fromkeys(collection.type for collection in self.collections))


def default_rules(name: str) -> Rules:
    """Return the rules of a library without `choirbook.toml`: the SDLC layout, then the relative path."""
    return Rules(
        name,
        (
            Collection("sdlc", "mcp://resources/sdlc/core", "**/sdlc-core.md"),
            Collection(
                "pattern",
                "mcp://resources/patterns/{language}/{name}",
                "**/{language}/patterns-{name}.md",
                {"language": "python"},
                "Coding patterns of a language.",
            ),
            Collection(
                "template",
                "mcp://resources/templates/{artifact}-template",
                "**/templates/{artifact}-template.xml",
                description="A template of an SDLC artifact.",
            ),
            Collection(
                "file", "mcp://resources/files/{+path}", "{+path}", description="A file by its relative path."
            ),
        ),
    )


def parse_rules(text: str, fallback_name: str) -> Rules:
    """Parse a `choirbook.toml`.

    Args:
        text: Content of the file.
        fallback_name: Name of the library if the file gives none.

    Raises:
        InvalidLibrary: The message gives the line, what is wrong with it, and what to do.
    """
    dotted = _LONG_KEY.search(text)
    if dotted is not None:
        line = text.count("\n", 0, dotted.start()) + 1
        raise InvalidLibrary(f"{RULES_FILE}, line {line}: a key has more than {MAX_KEY_PARTS} parts.")
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise InvalidLibrary(f"{RULES_FILE} is nested too deeply. Flatten it.") from error
    except ValueError as error:
        # Beside `TOMLDecodeError`: numbers of thousands of digits raise a plain ValueError.
        raise InvalidLibrary(f"{RULES_FILE} is not valid TOML: {error}.") from error
    _check_keys(document, {"name", "follow_links", "collection"}, text, 0)
    name = _typed(document, "name", str, fallback_name, text, 0)
    follow_links = _typed(document, "follow_links", bool, default=False, text=text, number=0)
    tables = document.get("collection", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InvalidLibrary(f"{RULES_FILE} has no [[collection]]. Add one, or remove the file.")
    if len(tables) > MAX_COLLECTIONS:
        raise InvalidLibrary(
            f"{RULES_FILE} has {len(tables)} collections; at most {MAX_COLLECTIONS} are allowed."
        )
    collections = tuple(_parse_collection(table, number, text) for number, table in enumerate(tables, 1))
    return Rules(name, collections, follow_links, text)


def _parse_collection(table: dict[str, Any], number: int, text: str) -> Collection:
    _check_keys(table, {"type", "uri", "files", "defaults", "description"}, text, number)
    for key in ("type", "uri", "files"):
        if key not in table:
            raise _fault(f"the collection has no '{key}'", text, number)
    defaults = _typed(table, "defaults", dict, {}, text, number)
    if not all(isinstance(value, str) for value in defaults.values()):
        raise _fault("the values of 'defaults' must be strings", text, number, "defaults")
    try:
        return Collection(
            _typed(table, "type", str, "", text, number),
            _typed(table, "uri", str, "", text, number),
            _typed(table, "files", str, "", text, number),
            defaults,
            _typed(table, "description", str, "", text, number),
        )
    except ValueError as error:
        raise _fault(str(error), text, number, str(error).split(" ", 1)[0]) from error


def _check_keys(table: dict[str, Any], known: set[str], text: str, number: int) -> None:
    for key in table:
        if key not in known:
            expected = ", ".join(sorted(known))
            raise _fault(f"'{key}' is not a key here; the keys are {expected}", text, number, key)


def _typed(table: dict[str, Any], key: str, kind: type, default: Any, text: str, number: int) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise _fault(f"'{key}' must be a {_TOML_NAMES[kind]}", text, number, key)
    return value


_TOML_NAMES = {str: "string", bool: "boolean", dict: "table"}


def _fault(reason: str, text: str, number: int, key: str | None = None) -> InvalidLibrary:
    return InvalidLibrary(f"{RULES_FILE}, line {_line_of(text, number, key)}: {reason}.")


def collection_line(text: str, number: int) -> int:
    """Return the line in which a collection of a `choirbook.toml` begins.

    Args:
        text: Content of the file.
        number: Number of the collection, from 1.
    """
    return _line_of(text, number, None)


def _line_of(text: str, number: int, key: str | None) -> int:
    """Return the line of a key in the numbered [[collection]] (0 is the top), or of the table's header."""
    seen = 0
    head = 1
    for line_number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.replace(" ", "").startswith("[[collection]]"):
            seen += 1
            if seen == number:
                head = line_number
        elif (
            seen == number and key is not None and re.match(rf"""["']?{re.escape(key)}["']?\s*=""", stripped)
        ):
            return line_number
    return head


def _file_pattern(files: str) -> Glob:
    """Parse a file pattern.

    Raises:
        ValueError: A brace that is not an expression, a variable named twice, too many wildcards, or a path
            that leaves the root.
    """
    if files.startswith("/") or ".." in files.split("/"):
        raise ValueError(f"files {files!r} must be relative to the library")
    tokens: list[Token] = []
    end = 0
    for match in _FILE_TOKEN.finditer(files):
        tokens.append(_literal(files[end : match.start()], files))
        end = match.end()
        if match[2]:
            tokens.append(named_wildcard(match[2], is_rest=bool(match[1])))
        else:
            tokens.append(_WILDCARDS[match.group()])
    tokens.append(_literal(files[end:], files))
    try:
        return Glob(tokens)
    except ValueError as error:
        raise ValueError(f"files {files!r}: it {error}") from None


_WILDCARDS: dict[str, Token] = {"**/": DIRECTORIES, "**": Wildcard(crosses=True), "*": Wildcard()}


def _literal(text: str, files: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"files {files!r} has an expression that is not {{name}} or {{+name}}")
    return text
