"""Resources over plain HTTP: the routes under `/mcp/resources`.

Turns a request into a read and the reading into a response. The pure modules beside it decide negotiation and
conditions.
"""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from choirbook.catalog.cursors import decode_cursor, encode_cursor
from choirbook.documents.rendering import DOCUMENT_POLICY, VARY, listed
from choirbook.documents.sections.section_uris import SECTION
from choirbook.errors import (
    InvalidParams,
    InvalidUri,
    MethodNotAllowed,
    RequestError,
    ResourceNotFound,
)
from choirbook.http.base_path import placed_below
from choirbook.http.conditional import (
    NO_CONDITIONS,
    Conditions,
    is_not_modified,
    matches,
    range_applies,
    requested_range,
)
from choirbook.http.deferred import then
from choirbook.http.exchange import (
    Answer,
    PrefixOf,
    Request,
    Response,
    Revalidation,
    failed_read,
    mount_of,
)
from choirbook.http.negotiation import negotiate
from choirbook.http.problems import NO_SNIFF, problem
from choirbook.http.query import fields_of, limit_of
from choirbook.library.library import Library
from choirbook.model import X_CACHE, Form, Header, Reading, ResourceInfo, ServedFrom
from choirbook.uri import AUTHORITY, READ_PREFIX, UriParts, check_segments, join_uri, path_of, split_uri

LISTING = "/mcp/resources"
PREFIX = READ_PREFIX
_PREFIX_CHARACTERS = len(PREFIX)
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_JSON: list[Header] = [("content-type", "application/json"), NO_SNIFF]


class Rest:
    """Resource routes of one library.

    Args:
        library: Library to read from.
        prefix_of: Returns the path prefix under which a client finds this server; not called on a cached
            read.
    """

    def __init__(self, library: Library, prefix_of: PrefixOf = mount_of) -> None:
        self._library = library
        self._prefix_of = prefix_of
        self._find = library.catalog.find
        self._not_modified: list[Header] = [
            ("cache-control", f"max-age={library.stamp.client_ttl_ms // 1000}, must-revalidate"),
            VARY,
            X_CACHE[ServedFrom.HIT],
        ]

    def read(self, request: Request) -> Answer:
        """Answer `GET` and `HEAD` for one resource."""
        if request.method not in {"GET", "HEAD"}:
            return problem(_not_allowed(request.method))
        try:
            return self._read(request)
        except ResourceNotFound as error:
            if not self._library.is_ready:
                return self._read_when_ready(request)
            return self._failed(request, error)
        except RequestError as error:
            return self._failed(request, error)

    def list(self, request: Request) -> Answer:
        """Answer `GET` for the listing."""
        if not self._library.is_ready:
            return then(self._library.wait_ready(), lambda _: self._list(request), problem)
        try:
            return self._list(request)
        except RequestError as error:
            return problem(error)

    def _read(self, request: Request) -> Answer:
        get = request.headers.get
        format_ = None
        if request.query:
            info, format_ = self._locate_by_query(request)
            if format_ == Form.OUTLINE and (prefix := self._prefix_of(request)):
                return self._read_below(request, info, prefix)
        else:
            path = request.path
            # The usual case: the path without its prefix is a canonical URI without its authority. The path
            # is decoded and a URI is not, so one with a percent sign in it would be another document's URI.
            found = self._find(AUTHORITY + path[_PREFIX_CHARACTERS:]) if "%" not in path else None
            info = found or self._library.find(_uri_of(path))
        lines = request.headers.get_all("accept")
        # Repeated headers are joined to one (RFC 9110, section 5.3).
        accept = lines[0] if len(lines) == 1 else ", ".join(lines) or None
        form = negotiate(accept, get("accept-encoding"), format_, info.media_type)
        known_tag, known_date, wanted_range = get("if-none-match"), get("if-modified-since"), get("range")
        if known_tag is None and known_date is None and wanted_range is None and request.method == "GET":
            reading = self._library.read(info, form)
            # A cached read takes this branch, and pays for every call in it.
            if isinstance(reading, Reading):
                representation = reading.representation
                return Response(200, representation.hit_headers, representation.body, (reading,))
            return self._respond_later(request, info, reading, form, NO_CONDITIONS)
        return self._read_on_conditions(request, info, form, Conditions(known_tag, known_date, wanted_range))

    def _read_below(self, request: Request, info: ResourceInfo, prefix: str) -> Answer:
        """Answer with an outline whose links begin with a prefix."""
        get = request.headers.get
        conditions = Conditions(get("if-none-match"), get("if-modified-since"), None)
        reading = self._library.read(info, Form.OUTLINE)
        if isinstance(reading, Reading):
            return self._respond(request, placed_below(reading, prefix), Form.OUTLINE, conditions)
        placed = then(reading, lambda read: placed_below(read, prefix))
        return self._respond_later(request, info, placed, Form.OUTLINE, conditions)

    def _read_on_conditions(
        self, request: Request, info: ResourceInfo, form: Form, conditions: Conditions
    ) -> Answer:
        if conditions.wanted_range is not None:
            # Ranges apply to the document's own bytes: on compressed ones they would be useless, and an
            # envelope is sent whole.
            if form in _RAW_FORMS:
                form = Form.RAW
            else:
                conditions = conditions._replace(wanted_range=None)
        if conditions.known_tag is not None:
            etag = self._library.etag(info, form)
            if etag is not None and matches(conditions.known_tag, etag):
                return self._revalidated(info, etag, form)
        reading = self._library.read(info, form)
        if isinstance(reading, Reading):
            return self._respond(request, reading, form, conditions)
        return self._respond_later(request, info, reading, form, conditions)

    def _read_when_ready(self, request: Request) -> Answer:
        # Not in `read`: variables captured by a closure there would cost every read a cell.
        ready = self._library.wait_ready()
        return then(ready, lambda _: self._read(request), partial(self._failed, request))

    def _respond_later(
        self,
        request: Request,
        info: ResourceInfo,
        loading: Coroutine[Any, Any, Reading],
        form: Form,
        conditions: Conditions,
    ) -> Answer:
        return then(
            loading,
            lambda reading: self._respond(request, reading, form, conditions),
            lambda error: problem(error, (failed_read(info.uri, error),)),
        )

    def _respond(self, request: Request, reading: Reading, form: Form, conditions: Conditions) -> Response:
        representation = reading.representation
        if is_not_modified(conditions, representation.etag, reading.info.modified_ns):
            return self._revalidated(reading.info, representation.etag, form)
        headers = [*representation.headers, X_CACHE[reading.served_from]]
        if reading.served_from is ServedFrom.STALE:
            headers.append(("warning", '110 - "Response is Stale"'))
        if request.method == "HEAD":
            headers.append(("content-length", str(len(representation.body))))
            return Response(200, headers, b"", (reading,))
        if conditions.wanted_range is not None:
            return _respond_with_range(request, reading, headers, conditions.wanted_range)
        return Response(200, headers, representation.body, (reading,))

    def _revalidated(self, info: ResourceInfo, etag: str, form: Form) -> Response:
        policy = DOCUMENT_POLICY if form in _RAW_FORMS else ()
        return Response(304, [("etag", etag), *self._not_modified, *policy], b"", (Revalidation(info),))

    def _failed(self, request: Request, error: RequestError) -> Response:
        try:
            uri = _uri_of(request.path)
        except InvalidUri:
            uri = request.path
        return problem(error, (failed_read(uri, error),))

    def _locate_by_query(self, request: Request) -> tuple[ResourceInfo, str | None]:
        query = fields_of(request)
        uri = self._library.catalog.rules.resolve(_uri_of(request.path), query)
        info, format_, wanted = self._library.find(uri), query.get("format"), query.get(SECTION)
        if wanted is None:
            return info, format_
        if format_ == Form.OUTLINE:
            raise InvalidParams("An outline covers the complete document. Remove section from the query.")
        return self._library.section(info, wanted), format_

    def _list(self, request: Request) -> Response:
        query = fields_of(request)
        catalog = self._library.catalog
        type_ = query.get("type")
        if type_ is not None and type_ not in catalog.rules.types:
            raise InvalidParams(
                f"There is no type {type_[:32]!r}. The types are: {', '.join(catalog.rules.types)}.",
                {"types": list(catalog.rules.types)},
            )
        page = catalog.page(_after(query), limit_of(query, DEFAULT_LIMIT, MAX_LIMIT), type_)
        prefix = self._prefix_of(request)
        document: dict[str, Any] = {
            "resources": [{**listed(info), "href": prefix + path_of(info.uri)} for info in page.infos],
            "total": catalog.count(type_),
        }
        if page.last_uri is not None:
            document["nextCursor"] = encode_cursor(page.last_uri)
        body = msgspec.json.encode(document)
        return Response(200, [*_JSON, ("cache-control", "no-cache")], body)


_RAW_FORMS = frozenset({Form.RAW, Form.RAW_GZIP, Form.RAW_BR, Form.RAW_ZSTD})


def _respond_with_range(request: Request, reading: Reading, headers: list[Header], wanted: str) -> Response:
    representation = reading.representation
    body = representation.body
    last_modified = dict(representation.headers).get("last-modified", "")
    if not range_applies(request.headers.get("if-range"), representation.etag, last_modified):
        return Response(200, headers, body, (reading,))
    part = requested_range(wanted, len(body))
    if part is None:
        return Response(200, headers, body, (reading,))
    start, end = part
    headers.append(("content-range", f"bytes {start}-{end - 1}/{len(body)}"))
    return Response(206, headers, body[start:end], (reading,))


def _uri_of(path: str) -> str:
    """Return the canonical URI of a path: the inverse of `path_of`.

    Raises:
        InvalidUri: No resource could have it.
    """
    segments = check_segments(tuple(path[_PREFIX_CHARACTERS:].split("/")))
    if segments[0].endswith(":") and len(segments) > 1:
        authority = quote(segments[1], safe="")
        parts = split_uri(f"{segments[0]}//{authority}")
        return join_uri(parts._replace(segments=segments[2:]))
    return join_uri(UriParts("mcp", "resources", segments))


def _after(query: dict[str, str]) -> str | None:
    cursor = query.get("cursor")
    return None if cursor is None else decode_cursor(cursor)


def _not_allowed(method: str) -> MethodNotAllowed:
    return MethodNotAllowed(f"{method[:16]} is not allowed here. Use GET or HEAD.", {"allow": "GET, HEAD"})
