"""Whatever reads text of others takes a time that grows with the text, and no faster (promise 19)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from time import process_time
from typing import NamedTuple

import pytest

from carrel.errors import CarrelError
from carrel.headline import headline_of
from carrel.http.conditional import matches, requested_range, unmodified_since
from carrel.http.correlation import request_id_of, trace_id_of
from carrel.http.edge import Edge
from carrel.http.exchange import Headers, HeadersOf
from carrel.http.negotiation import choose_exposition, negotiate
from carrel.mcp.messages import decode
from carrel.observe.tracing.context import context_of_message, parse_context
from carrel.paging import decode_cursor
from carrel.parts import decode_continuation
from carrel.placeholders import fill, find_placeholders
from carrel.rules import Collection, parse_rules
from carrel.search.query import parse_query
from carrel.sections.addressing import split_section
from carrel.sections.parsing import outline_of
from carrel.uri import UriTemplate, canonical_uri
from carrel.usage.clients import of_user_agent
