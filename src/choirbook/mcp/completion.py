"""`completion/complete`: possible values of a variable, the same in both eras.

Values come from the library's present state. The values of a reference's variables are prepared on a thread
when first requested, and kept until the library changes; then a request is two bisections.

References (the specification: "a URI or URI template") are those of `resources/templates/list`, and two that
stand for the filters of the HTTP interface: `mcp://resources{?type}` for its listing, and for each variable
that has a default the template without it, such as `mcp://resources/patterns/{name}{?language}`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from time import monotonic
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.catalog.rules import Collection, Rules
from choirbook.catalog.template_values import CompletionCandidates, CompletionMatches, VariableValues
from choirbook.errors import Era, InvalidParams
from choirbook.http.deferred import then
from choirbook.library.library import Library
from choirbook.mcp.messages import parameters
from choirbook.mcp.prompts import Prompts
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Method, Outcome, Result, finish
from choirbook.runtime.threads import Threads
from choirbook.uri import MAX_URI_BYTES

MAX_VALUES = 100
"""Maximum number of values, set by the specification (server/utilities/completion, "Completion Results")."""

MAX_NARROWINGS = 64
"""Maximum number of cached value lists: each combination of other variables' values has one."""

RENEWAL_S = 1.0
"""Maximum age of old values after a change, in seconds: limits the scans of a library under constant
edits."""

LISTING_REFERENCE = "mcp://resources{?type}"


class ResourceReference(msgspec.Struct, frozen=True, tag_field="type", tag="ref/resource"):
    """A URI template."""

    uri: str


class PromptReference(msgspec.Struct, frozen=True, tag_field="type", tag="ref/prompt"):
    """A prompt."""

    name: str


class Argument(msgspec.Struct, frozen=True):
    """Variable to complete, with the text typed so far."""

    name: str
    value: str


class CompletionContext(msgspec.Struct, frozen=True):
    """Values of variables chosen before."""

    arguments: dict[str, str] = {}


class CompleteParams(msgspec.Struct, frozen=True):
    """The parameters of `completion/complete`."""

    ref: ResourceReference | PromptReference
    argument: Argument
    context: CompletionContext | UnsetType = UNSET


_Narrowing = tuple[str, str, frozenset[tuple[str, str]]]
"""Reference, variable, and values of other variables."""


class Completion:
    """Completes variables of URI templates; of a prompt's arguments it knows only the names.

    Args:
        library: Library whose URIs give the values.
        threads: Build lists of values.
        prompts: Prompts whose arguments are known by name only.
    """

    def __init__(self, library: Library, threads: Threads, prompts: Prompts) -> None:
        self._library = library
        self._threads = threads
        self._prompts = prompts
        self._generation = -1
        self._prepared_s = 0.0
        self._candidates: dict[str, CompletionCandidates] = {}
        self._narrowed: OrderedDict[_Narrowing, VariableValues] = OrderedDict()
        self._preparing = asyncio.Lock()

    def methods(self, _: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        return {"completion/complete": self._complete}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return the members it adds to `ServerCapabilities`."""
        return {"completions": {}}

    def _complete(self, call: Call) -> Outcome:
        params = parameters(call.source, CompleteParams)
        settled = params.context.arguments if params.context is not UNSET else {}
        for value in (params.argument.value, *settled.values()):
            if len(value) > MAX_URI_BYTES:
                raise InvalidParams(
                    f"A value has {len(value)} characters; at most {MAX_URI_BYTES} are allowed."
                )
        if isinstance(params.ref, PromptReference):
            return self._complete_argument(call.era, params.ref.name, params.argument)
        if not self._library.is_ready:
            return then(self._library.wait_ready(), lambda _: self._complete(call))
        return self._complete_variable(call.era, params.ref.uri, params.argument, settled)

    async def _complete_argument(self, era: Era, prompt: str, argument: Argument) -> Result:
        """Complete an argument of a prompt: free text, so there are no suggestions."""
        names = await self._prompts.arguments(prompt)
        if argument.name not in names:
            raise InvalidParams(
                f"The prompt {prompt} has no argument {argument.name[:64]!r}. "
                + (f"Its arguments are: {', '.join(names)}." if names else "It takes none.")
            )
        return self._respond(era, CompletionMatches((), 0))

    def _complete_variable(
        self, era: Era, reference: str, argument: Argument, settled: Mapping[str, str]
    ) -> Outcome:
        rules = self._library.catalog.rules
        if reference == LISTING_REFERENCE:
            _check_variable(argument.name, ("type",), reference)
            types = VariableValues(rules.types)
            found = types.starting_with(argument.value, MAX_VALUES)
            return self._respond(era, found if found.total else types.like(argument.value, MAX_VALUES))
        collections = references(rules).get(reference)
        if collections is None:
            known = ", ".join((*references(rules), LISTING_REFERENCE))
            raise InvalidParams(f"There is no URI template {reference[:256]!r} here. There are: {known}.")
        variables = collections[0].template.variables
        _check_variable(argument.name, variables, reference)
        # An empty value is one that the client has not chosen yet.
        others = frozenset(
            (name, value)
            for name, value in settled.items()
            if value and name in variables and name != argument.name
        )
        key = (reference, argument.name, others)
        values = self._find_prepared(key)
        if values is None:
            return self._prepare_and_complete(era, key, collections, argument.value)
        found = values.starting_with(argument.value, MAX_VALUES)
        return self._respond(era, found) if found.total else self._look_closer(era, values, argument.value)

    def _find_prepared(self, key: _Narrowing) -> VariableValues | None:
        return None if self._is_outdated() else self._narrowed.get(key)

    def _is_outdated(self) -> bool:
        if self._generation == self._library.catalog.generation:
            return False
        return monotonic() - self._prepared_s > RENEWAL_S

    async def _prepare_and_complete(
        self, era: Era, key: _Narrowing, collections: tuple[Collection, ...], typed: str
    ) -> Result:
        # One at a time: others that wait for the same values then find them prepared.
        async with self._preparing:
            values = self._find_prepared(key) or await self._prepare(key, collections)
        found = values.starting_with(typed, MAX_VALUES)
        return self._respond(era, found) if found.total else await self._look_closer(era, values, typed)

    async def _prepare(self, key: _Narrowing, collections: tuple[Collection, ...]) -> VariableValues:
        reference, variable, others = key
        catalog = self._library.catalog
        if self._is_outdated():
            self._candidates.clear()
            self._narrowed.clear()
            self._generation, self._prepared_s = catalog.generation, monotonic()
        candidates = self._candidates.get(reference)
        if candidates is None:
            uris = [uri for type_ in {each.type for each in collections} for uri in catalog.uris(type_)]
            candidates = await self._threads.run(CompletionCandidates, collections[0].template, uris)
            self._candidates[reference] = candidates
        values = await self._threads.run(candidates.values, variable, dict(others))
        self._narrowed[key] = values
        if len(self._narrowed) > MAX_NARROWINGS:
            self._narrowed.popitem(last=False)
        return values

    def _look_closer(self, era: Era, values: VariableValues, typed: str) -> Coroutine[Any, Any, Result]:
        async def look() -> Result:
            return self._respond(era, await self._threads.run(values.like, typed, MAX_VALUES))

        return look()

    def _respond(self, era: Era, found: CompletionMatches) -> Result:
        completion: dict[str, Any] = {"values": found.values}
        if found.total is not None:
            completion["total"] = found.total
        completion["hasMore"] = found.total is None or found.total > len(found.values)
        members = b'"completion":' + msgspec.json.encode(completion)
        return finish(members, era, self._library.stamp, cacheable=False)


def references(rules: Rules) -> dict[str, tuple[Collection, ...]]:
    """Return the completable references: URI templates, and the collections whose resources they name."""
    found: dict[str, tuple[Collection, ...]] = {}
    for collection in rules.collections:
        template = collection.template
        if not template.variables:
            continue
        queries = [f"{template.without(variable).text}{{?{variable}}}" for variable in collection.defaults]
        for text in (template.text, *queries):
            found[text] = (*found.get(text, ()), collection)
    return found


def _check_variable(name: str, variables: tuple[str, ...], reference: str) -> None:
    if name not in variables:
        raise InvalidParams(
            f"The URI template {reference} has no variable {name[:64]!r}. It has: {', '.join(variables)}."
        )
