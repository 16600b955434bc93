"""Description of the HTTP interface by OpenAPI 3.1, from openapi.yaml. Pure, once imported.

The file that is read is openapi.json, made from the other by `task docs:openapi`: importing PyYAML and
loading the description with it takes 25 ms of CPU time, which would be part of every start. The file is read
once, before workers are forked.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import msgspec

_DOCUMENT = files("choirbook.http").joinpath("openapi.json").read_bytes()


def openapi_document(version: str, prefix: str = "") -> dict[str, Any]:
    """Return the description as a JSON-like value.

    Args:
        version: Version of the server.
        prefix: Path prefix under which the client finds the server, such as `/standards`.
    """
    document: dict[str, Any] = msgspec.json.decode(_DOCUMENT)
    document["info"]["version"] = version
    document["servers"] = [{"url": prefix or "/"}]
    return document
