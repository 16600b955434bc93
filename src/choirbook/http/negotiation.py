"""Content negotiation: the form to send to a client (RFC 9110, section 12). Pure.

JSON unless the client prefers the document's own bytes. A negotiation depends on three strings and is cached,
since clients repeat theirs with every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from choirbook.documents.content_codings import Coding
from choirbook.documents.media_types import is_textual
from choirbook.documents.rendering import CODING_FORMS
from choirbook.errors import InvalidParams, NotAcceptable
from choirbook.model import Form

MAX_HEADER_CHARACTERS = 1024
"""Maximum length of headers to cache, in characters; longer ones are parsed each time, as clients decide
their content."""


class Exposition(StrEnum):
    """Format of metrics; the values are content types."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Preference(NamedTuple):
    """One element of an Accept header."""

    value: str
    quality: float
    version: str = ""


def negotiate(accept: str | None, accept_encoding: str | None, format_: str | None, media_type: str) -> Form:
    """Choose a form.

    Args:
        accept: The Accept header.
        accept_encoding: The Accept-Encoding header.
        format_: The query's `format`, which overrules Accept; the only way to get an outline.
        media_type: Media type of the document, without parameters.

    Raises:
        NotAcceptable: Accept rules out both JSON and the document's own type.
        InvalidParams: `format_` is neither `raw`, `json` nor `outline`.
    """
    if accept is not None and len(accept) > MAX_HEADER_CHARACTERS:
        return _negotiate(accept, accept_encoding, format_, media_type)
    if accept_encoding is not None and len(accept_encoding) > MAX_HEADER_CHARACTERS:
        return _negotiate(accept, accept_encoding, format_, media_type)
    return _remembered(accept, accept_encoding, format_, media_type)


def preferences(header: str) -> list[Preference]:
    """Parse a header of weighted values; malformed elements are ignored."""
    found = []
    for element in header.split(","):
        value, *parameters = (part.strip().lower() for part in element.split(";"))
        quality, version = 1.0, ""
        for parameter in parameters:
            if parameter.startswith("q="):
                quality = _quality(parameter[2:])
            elif parameter.startswith("version="):
                version = parameter[8:].strip('"')
        if value:
            found.append(Preference(value, quality, version))
    return found


def choose_exposition(accept: str | None) -> Exposition:
    """Choose the format of metrics: plain text, unless a client prefers OpenMetrics 1.0.0.

    A header that rules out both, or is malformed, gets plain text: rejecting a scraper would leave the
    operator without metrics.
    """
    wanted = preferences(accept or "")
    openmetrics = [
        each.quality
        for each in wanted
        if each.value == "application/openmetrics-text" and each.version in {"", "1.0.0"}
    ]
    if not openmetrics or max(openmetrics) == 0:
        return Exposition.TEXT
    plain = [each.quality for each in wanted if each.value == "text/plain" and each.version in {"", "0.0.4"}]
    return Exposition.OPENMETRICS if max(openmetrics) >= max(plain, default=0.0) else Exposition.TEXT


def best_of(accept: str | None, kinds: Sequence[str]) -> str:
    """Return the media type that a client prefers.

    Args:
        accept: Value of the Accept header.
        kinds: Available types, the default first: it also goes to a client that accepts none of them.
    """
    wanted = preferences(accept or "")
    return max(kinds, key=lambda kind: _weight(wanted, kind)) if wanted else kinds[0]


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def _negotiate(accept: str | None, accept_encoding: str | None, format_: str | None, media_type: str) -> Form:
    form = _choose_shape(accept, format_, media_type)
    coding = _choose_coding(accept_encoding) if accept_encoding else None
    if coding is None or form is Form.OUTLINE or (form is Form.RAW and not is_textual(media_type)):
        return form
    return CODING_FORMS[form, coding]


_remembered = lru_cache(maxsize=512)(_negotiate)


_FORMATS = frozenset({Form.RAW, Form.JSON, Form.OUTLINE})


def _choose_shape(accept: str | None, format_: str | None, media_type: str) -> Form:
    if format_ is not None:
        if format_ not in _FORMATS:
            raise InvalidParams(
                f"The query's format is {format_[:32]!r}. It can be 'raw', 'json' or 'outline'."
            )
        return Form(format_)
    wanted = preferences(accept or "")
    if not wanted:
        return Form.JSON
    raw = max(_weight(wanted, kind) for kind in _own_types(media_type))
    json = _weight(wanted, "application/json")
    if media_type == "application/json" and json > 0:
        # The envelope has the same type as the document; JSON is the default.
        return Form.JSON
    if max(raw, json) == 0:
        raise NotAcceptable(f"This resource can be sent as application/json or {media_type}.")
    return Form.RAW if raw > json else Form.JSON


def _own_types(media_type: str) -> tuple[str, ...]:
    """Return the types under which a client may ask for a document's bytes.

    Every text counts as `text/*`, so that `Accept: text/*` means "the file itself" for XML too.
    """
    return (media_type, "text/plain") if is_textual(media_type) else (media_type,)


def _weight(wanted: list[Preference], media_type: str) -> float:
    """Return the quality of the most specific element that a type matches, 0 if none does."""
    family = media_type.partition("/")[0] + "/*"
    for value in (media_type, family, "*/*"):
        qualities = [preference.quality for preference in wanted if preference.value == value]
        if qualities:
            return max(qualities)
    return 0.0


def _choose_coding(accept_encoding: str) -> Coding | None:
    weights = {preference.value: preference.quality for preference in preferences(accept_encoding)}
    anything = weights.get("*", 0.0)
    best, best_weight = None, 0.0
    for coding in Coding:
        weight = weights.get(coding.value, anything)
        if weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else None
