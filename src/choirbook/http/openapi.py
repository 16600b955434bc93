"""Description of the HTTP interface in OpenAPI 3.1; a test compares the server with it. Pure."""

from __future__ import annotations

from typing import Any

from choirbook.errors import TABLE, RequestError

_Schema = dict[str, Any]

_STRING: _Schema = {"type": "string"}
_INTEGER: _Schema = {"type": "integer", "minimum": 0}

_LISTED: _Schema = {
    "uri": {"type": "string", "description": "Canonical URI, as MCP clients read it."},
    "name": _STRING,
    "title": _STRING,
    "description": _STRING,
    "type": {"type": "string", "description": "Collection type of the library's rules."},
    "mimeType": _STRING,
    "size": {**_INTEGER, "description": "Bytes of the document itself."},
    "tokens": {**_INTEGER, "description": "About how many tokens of a model's context it takes: bytes / 4."},
    "lastModified": {"type": "string", "format": "date-time"},
}

_DIGEST: _Schema = {"type": "string", "description": "sha256 of the document's own bytes."}
_HREF: _Schema = {"type": "string", "description": "Path of the resource on this server."}


def openapi_document(version: str, prefix: str = "") -> dict[str, Any]:
    """Return the description as a JSON-like value.

    Args:
        version: Version of the server.
        prefix: Path prefix under which the client finds the server, such as `/standards`.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Choirbook",
            "version": version,
            "description": "A team's engineering standards, patterns and templates. MCP is at POST /mcp.",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": {
            "/": _path("welcome", "What this is, and how to connect", _welcome_responses()),
            "/mcp/resources": _path(
                "list_resources", "List the resources", _listing_responses(), _LISTING_PARAMETERS
            ),
            "/mcp/resources/sdlc/core": _read("read_sdlc_core", "Read the SDLC core", []),
            "/mcp/resources/patterns/{name}": _read(
                "read_pattern",
                "Read a pattern of a language",
                ["name"],
                [_query("language", _STRING)],
            ),
            "/mcp/resources/patterns/{language}/{name}": _read(
                "read_pattern_of_language", "Read a pattern", ["language", "name"]
            ),
            "/mcp/resources/templates/{name}": _read(
                "read_template", "Read a template, such as prd-template", ["name"]
            ),
            "/mcp/resources/{path}": _read(
                "read_resource",
                "Read any resource: the path is its URI without mcp://resources/ (it may hold slashes)",
                ["path"],
            ),
            "/mcp/search": _path("search", "Find sections by words", _search_responses(), _SEARCH_PARAMETERS),
            "/healthz": _path("healthz", "Is the process alive", {"200": _json("Alive", {"type": "object"})}),
            "/readyz": _path(
                "readyz",
                "Is the library ready to be read",
                {
                    "200": _json("Ready", {"type": "object"}),
                    "503": _json("Still surveying", {"type": "object"}),
                },
            ),
            "/metrics": _path(
                "metrics",
                "Metrics of all workers",
                {
                    "200": {
                        "description": "Prometheus text, or OpenMetrics 1.0.0 where Accept asks for it",
                        "content": {
                            "text/plain": {"schema": _STRING},
                            "application/openmetrics-text": {"schema": _STRING},
                        },
                    }
                },
            ),
            "/openapi.json": _path(
                "openapi", "This description", {"200": _json("OpenAPI", {"type": "object"})}
            ),
        },
        "components": {
            "schemas": {
                "Resource": _resource(),
                "Outline": _outline(),
                "Listing": _listing(),
                "Results": _results(),
                "Problem": _problem(),
            }
        },
    }


def _path(
    operation: str, summary: str, responses: _Schema, parameters: list[_Schema] | None = None
) -> _Schema:
    described: _Schema = {"operationId": operation, "summary": summary, "responses": responses}
    if parameters:
        described["parameters"] = parameters
    # HEAD answers what GET does, without the body.
    head = {**described, "operationId": f"{operation}_head", "responses": _without_bodies(responses)}
    return {"get": described, "head": head}


def _without_bodies(responses: _Schema) -> _Schema:
    return {
        status: {key: value for key, value in response.items() if key != "content"}
        for status, response in responses.items()
    }


def _read(operation: str, summary: str, variables: list[str], query: list[_Schema] | None = None) -> _Schema:
    parameters = [{"name": name, "in": "path", "required": True, "schema": _STRING} for name in variables]
    parameters += query or []
    parameters += _READ_PARAMETERS
    parameters += [
        _header("Accept", "text/* asks for the document's own bytes."),
        _header("If-None-Match", "Entity tags the client holds."),
        _header("Range", "Bytes of the raw document."),
    ]
    return _path(operation, summary, _read_responses(), parameters)


def _read_responses() -> _Schema:
    headers = {
        name: {"schema": _STRING, "description": text}
        for name, text in {
            "ETag": "Strong validator of the form that was sent.",
            "Last-Modified": "When the document was changed.",
            "X-Cache": "hit, shared, miss or stale.",
            "Vary": "What the form was chosen by.",
        }.items()
    }
    raw = {"schema": {"type": "string", "description": "The document's own bytes."}}
    content = {
        "application/json": {"schema": {"anyOf": _READ_SCHEMAS}},
        "text/*": raw,
        "application/xml": raw,
    }
    return {
        "200": {"description": "The resource", "headers": headers, "content": {**content, "*/*": raw}},
        "206": {"description": "A part of the document's bytes", "content": {"*/*": raw}},
        "304": {"description": "The client's copy is the present one"},
        **_problems(400, 404, 405, 406, 416, 500, 503),
    }


def _welcome_responses() -> _Schema:
    kinds = ("text/html", "text/plain", "application/json")
    content = {kind: {"schema": {"type": "object"} if "json" in kind else _STRING} for kind in kinds}
    return {"200": {"description": "In the form that Accept asks for", "content": content}}


def _listing_responses() -> _Schema:
    listing = _json("A page of the listing", {"$ref": "#/components/schemas/Listing"})
    return {"200": listing, **_problems(400, 405, 503)}


def _search_responses() -> _Schema:
    results = _json("What was found, the best first", {"$ref": "#/components/schemas/Results"})
    return {"200": results, **_problems(400, 405, 503)}


def _problems(*statuses: int) -> _Schema:
    titles = {outcome.http: _title(error) for error, outcome in reversed(TABLE.items())}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": titles[status], "content": content} for status in statuses}


def _title(error: type[RequestError]) -> str:
    return TABLE[error].title


def _json(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _query(name: str, schema: _Schema) -> _Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _header(name: str, description: str) -> _Schema:
    return {"name": name, "in": "header", "required": False, "schema": _STRING, "description": description}


_READ_SCHEMAS = [{"$ref": "#/components/schemas/Resource"}, {"$ref": "#/components/schemas/Outline"}]

_READ_PARAMETERS = [
    _query(
        "format",
        {
            "type": "string",
            "enum": ["json", "raw", "outline"],
            "description": "outline lists the document's sections; the others overrule Accept.",
        },
    ),
    _query(
        "section",
        {
            "type": "string",
            "description": "Slug or title of a section, to read it alone. A 404 lists those there are.",
        },
    ),
]

_LISTING_PARAMETERS = [
    _query("type", _STRING),
    _query("cursor", _STRING),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
]


_SEARCH_PARAMETERS = [
    {
        "name": "q",
        "in": "query",
        "required": True,
        "schema": {
            "type": "string",
            "maxLength": 1000,
            "description": "Words; the last may be the start of one. Sections with all of them come first.",
        },
    },
    _query("type", _STRING),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 50}),
]


def _resource() -> _Schema:
    properties = {
        **_LISTED,
        "digest": _DIGEST,
        "etag": {"type": "string", "description": "Validator of this envelope, as in the ETag header."},
        "encoding": {"enum": ["utf-8", "base64"], "description": "How `content` holds the bytes."},
        "content": _STRING,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _outline() -> _Schema:
    size = {**_INTEGER, "description": "Bytes up to the next heading of the same or a higher level."}
    section: _Schema = {
        "slug": {"type": "string", "description": "What the query's section takes."},
        "title": _STRING,
        "level": {"type": "integer", "minimum": 1},
        "headingPath": {
            "type": "array",
            "items": _STRING,
            "description": "From the highest to its own.",
        },
        "size": size,
        "tokens": _LISTED["tokens"],
        "uri": _LISTED["uri"],
        "href": _HREF,
    }
    item = {"type": "object", "required": list(section), "properties": section}
    properties = {
        **{name: _LISTED[name] for name in ("uri", "title", "mimeType", "size", "tokens")},
        "digest": _DIGEST,
        "href": _HREF,
        "sections": {"type": "array", "items": item},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _listing() -> _Schema:
    listed = {**_LISTED, "href": _HREF}
    item = {"type": "object", "required": list(listed), "properties": listed}
    return {
        "type": "object",
        "required": ["resources", "total"],
        "properties": {
            "resources": {"type": "array", "items": item},
            "total": {**_INTEGER, "description": "Resources on all pages."},
            "nextCursor": {"type": "string", "description": "Cursor of the next page; missing on the last."},
        },
    }


def _results() -> _Schema:
    hit: _Schema = {
        "uri": _LISTED["uri"],
        "href": _HREF,
        "document": {"type": "string", "description": "URI of the whole document."},
        "documentTitle": _STRING,
        "section": {"type": ["string", "null"], "description": "Its slug; null is the document itself."},
        "title": _STRING,
        "headingPath": {"type": "array", "items": _STRING},
        "snippet": {"type": "string", "description": "One line of text around the words that were found."},
        "type": _LISTED["type"],
        "mimeType": _STRING,
        "size": {**_INTEGER, "description": "Bytes of what the URI reads."},
        "tokens": _LISTED["tokens"],
        "score": {"type": "number", "description": "Higher is better, within one answer."},
    }
    item = {"type": "object", "required": list(hit), "properties": hit}
    properties: _Schema = {
        "results": {"type": "array", "items": item},
        "more": {"type": "boolean", "description": "Whether there are further ones beyond the limit."},
        "complete": {"type": "boolean", "description": "False while the index is being built: ask again."},
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _problem() -> _Schema:
    return {
        "type": "object",
        "required": ["title", "status", "detail"],
        "properties": {"title": _STRING, "status": {"type": "integer"}, "detail": _STRING},
    }
