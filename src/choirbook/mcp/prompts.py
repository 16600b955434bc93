"""Prompts: each artifact template of the library, to be filled in. The same in both eras.

The documents of the rules' type `template` are the prompts, their placeholders the arguments. No argument is
required, whatever the template declares: an agent gets the template first, fills in the arguments that it
knows, and is shown which remain. `listChanged` is not offered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import UNSET

from choirbook.catalog.cursors import decode_cursor, encode_cursor
from choirbook.catalog.rules import Rules
from choirbook.documents.media_types import is_textual
from choirbook.documents.placeholders import Placeholder, fill, find_placeholders
from choirbook.errors import Era, InvalidParams, InvalidUri, RequestError
from choirbook.library.library import Library
from choirbook.mcp.listings import ListingPages
from choirbook.mcp.messages import parameters
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, Result, finish
from choirbook.model import Change, Form, Reading, ResourceInfo, Version
from choirbook.runtime.threads import Threads
from choirbook.uri import canonical_uri

log = logging.getLogger("choirbook.mcp")

TYPE = "template"
"""Resource type of the documents that are prompts."""

MAX_NAMED = 20
"""Maximum number of prompts that an error lists."""


class GetParams(msgspec.Struct, frozen=True):
    """The parameters of `prompts/get`."""

    name: str
    arguments: dict[str, str] = {}


class Prompts:
    """Prompt methods of one library.

    Args:
        library: Library whose templates are prompts.
        threads: Search templates for placeholders and fill them in.
        page_size: Number of prompts on one page of the listing.
    """

    def __init__(self, library: Library, threads: Threads, page_size: int) -> None:
        self._library = library
        self._threads = threads
        self._page_size = page_size
        self._pages = ListingPages()
        self._known: dict[str, tuple[Version, tuple[Placeholder, ...] | None]] = {}
        self._preparing = asyncio.Lock()
        library.catalog.listen(self._on_change)

    def methods(self, _: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {"prompts/list": self._list, "prompts/get": self._get}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"prompts": {}}

    async def arguments(self, name: str) -> tuple[str, ...]:
        """Return the names of a prompt's arguments.

        Raises:
            InvalidParams: There is no such prompt.
        """
        _, placeholders = await self._find_usable(name)
        return tuple(each.name for each in placeholders)

    def _list(self, call: Call) -> Outcome:
        cursor = call.params.cursor
        after = None if cursor is UNSET else decode_cursor(cursor)
        ready = self._pages.get((self._library.catalog.generation, after, call.era))
        return ready if ready is not None else self._render_page(after, call.era)

    async def _render_page(self, after: str | None, era: Era) -> Result:
        await self._library.wait_ready()
        catalog = self._library.catalog
        key = (catalog.generation, after, era)
        # One at a time: others that wait for the same page then find its templates searched.
        async with self._preparing:
            page = catalog.page(after, self._page_size, TYPE)
            names = PromptNames(catalog.rules)
            is_whole = True
            listed = []
            for info in page.infos:
                try:
                    placeholders = await self._placeholders(info)
                except RequestError as error:
                    log.warning("no prompt is listed for %s: %s", info.uri, error.message)
                    is_whole = False
                    continue
                if placeholders is not None:
                    listed.append(_listed(names.name_of(info, self._is_prompt), info, placeholders))
        members = b'"prompts":' + msgspec.json.encode(listed)
        if page.last_uri is not None:
            members += b',"nextCursor":' + msgspec.json.encode(encode_cursor(page.last_uri))
        result = finish(members, era, self._library.stamp)
        return self._pages.put(key, result) if is_whole else result

    def _get(self, call: Call) -> Outcome:
        if call.params.name is UNSET:
            raise InvalidParams("prompts/get needs the parameter name.")
        return self._fill_in(parameters(call.source, GetParams), call.era)

    async def _fill_in(self, params: GetParams, era: Era) -> Result:
        reading, placeholders = await self._find_usable(params.name)
        names = [each.name for each in placeholders]
        unknown = [name for name in params.arguments if name not in names]
        if unknown:
            raise InvalidParams(
                f"The prompt {params.name} has no argument {unknown[0][:64]!r}. "
                + (f"Its arguments are: {', '.join(names)}." if names else "It takes none.")
            )
        members = await self._threads.run(_render, reading, placeholders, params.arguments)
        return Result(finish(members, era, self._library.stamp, cacheable=False).body, reading)

    async def _find_usable(self, name: str) -> tuple[Reading, tuple[Placeholder, ...]]:
        await self._library.wait_ready()
        names = PromptNames(self._library.catalog.rules)
        for uri in names.uris_of(name):
            info = self._library.catalog.find(uri)
            if info is not None and self._is_prompt(uri):
                reading = await self._read(info)
                placeholders = await self._placeholders(reading.info, reading)
                if placeholders is not None:
                    return reading, placeholders
        raise InvalidParams(f"There is no prompt {name[:128]!r} here. {self._say_which()}")

    def _say_which(self) -> str:
        catalog = self._library.catalog
        names = PromptNames(catalog.rules)
        page = catalog.page(None, MAX_NAMED, TYPE)
        if not page.infos:
            return "This library has no templates."
        listed = ", ".join(names.name_of(info, self._is_prompt) for info in page.infos)
        return f"There are: {listed}{', and others, see prompts/list' if page.last_uri else ''}."

    def _is_prompt(self, uri: str) -> bool:
        info = self._library.catalog.find(uri)
        return info is not None and info.type == TYPE and info.uri == info.canonical_uri

    async def _read(self, info: ResourceInfo) -> Reading:
        reading = self._library.read(info, Form.RAW)
        return reading if isinstance(reading, Reading) else await reading

    async def _placeholders(
        self, info: ResourceInfo, reading: Reading | None = None
    ) -> tuple[Placeholder, ...] | None:
        """Return the placeholders of a template, or None if it is not text; searched once per version."""
        known = self._known.get(info.uri)
        if known is not None and known[0] == info.version:
            return known[1]
        reading = reading or await self._read(info)
        found = await self._threads.run(_look_through, info, reading.representation.body)
        self._known[info.uri] = (info.version, found)
        return found

    def _on_change(self, change: Change) -> None:
        for uri in (*change.removed, *change.updated):
            self._known.pop(uri, None)


class PromptNames:
    """Names of prompts: their URI without the common prefix of their collection.

    `mcp://resources/templates/prd-template` is `prd-template`. Where two would have the same name, the later
    one gets a longer name, at worst its whole URI. Nothing is computed in advance, so a name costs the same
    whatever the number of templates.
    """

    def __init__(self, rules: Rules) -> None:
        texts = [each.template.text for each in rules.collections if each.type == TYPE]
        directories = [text.partition("{")[0].rpartition("/")[0] + "/" for text in texts]
        authorities = ["/".join(text.split("/", 3)[:3]) + "/" for text in texts]
        self._beginnings = tuple(dict.fromkeys((*directories, *authorities, "")))

    def uris_of(self, name: str) -> Iterable[str]:
        """Yield the canonical URIs that a name may stand for, the most likely first."""
        for beginning in self._beginnings:
            try:
                yield canonical_uri(beginning + quote(name, safe="/-._~!$&'()*+,=:@"))
            except (InvalidUri, UnicodeEncodeError):
                continue

    def name_of(self, info: ResourceInfo, is_prompt: Callable[[str], bool]) -> str:
        """Return the shortest name by which a prompt is found.

        Args:
            info: Info of the template.
            is_prompt: Returns whether a canonical URI belongs to a prompt.
        """
        for beginning in self._beginnings:
            name = unquote(info.uri.removeprefix(beginning))
            if info.uri.startswith(beginning) and info.uri == next(
                filter(is_prompt, self.uris_of(name)), None
            ):
                return name
        return info.uri


def _look_through(info: ResourceInfo, data: bytes) -> tuple[Placeholder, ...] | None:
    if not is_textual(info.media_type):
        return None
    try:
        return find_placeholders(data.decode("utf-8"), info.media_type)
    except UnicodeDecodeError:
        return None


def _listed(name: str, info: ResourceInfo, placeholders: tuple[Placeholder, ...]) -> dict[str, Any]:
    listed: dict[str, Any] = {"name": name, "title": info.title, "description": _description(info)}
    listed["arguments"] = [
        {"name": each.name, **({"description": each.description} if each.description else {})}
        for each in placeholders
    ]
    return listed


def _description(info: ResourceInfo) -> str:
    return info.description or f"A template to fill in: {info.title}."


def _render(reading: Reading, placeholders: tuple[Placeholder, ...], values: Mapping[str, str]) -> bytes:
    info = reading.info
    text = fill(reading.representation.body.decode("utf-8"), info.media_type, values)
    texts = [text]
    unfilled = [each for each in placeholders if each.name not in values]
    if unfilled:
        names = ", ".join(
            f"{{{{{each.name}}}}}{' (required)' if each.is_required else ''}" for each in unfilled
        )
        texts.append(
            f"This is the template {info.uri}. {len(unfilled)} of its {len(placeholders)} placeholders are "
            f"not filled in: {names}. Replace each of them with the right text. Look up what you can, and "
            "ask for the rest instead of inventing it."
        )
    messages = [{"role": "user", "content": {"type": "text", "text": each}} for each in texts]
    result = {"description": _description(info), "messages": messages}
    return msgspec.json.encode(result)[1:-1]
