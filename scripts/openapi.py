"""Make src/choirbook/http/openapi.json from openapi.yaml beside it: `task docs:openapi`.

Merge keys and anchors are resolved, pieces that are only shared are dropped, and HEAD operations are added.
"""

import json
from pathlib import Path
from typing import Any

import yaml

_DIRECTORY = Path(__file__).resolve().parent.parent / "src" / "choirbook" / "http"
SOURCE = _DIRECTORY / "openapi.yaml"
COMPILED = _DIRECTORY / "openapi.json"


def compiled() -> str:
    """Return the description as JSON."""
    loaded = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    document = {key: value for key, value in loaded.items() if not key.startswith("x-")}
    document["paths"] = {path: _with_head(item["get"]) for path, item in document["paths"].items()}
    return json.dumps(document, separators=(",", ":")) + "\n"


def _with_head(get: dict[str, Any]) -> dict[str, Any]:
    """Return the operations of a path: HEAD answers what GET does, without the body."""
    responses = {status: _without_body(response) for status, response in get["responses"].items()}
    return {"get": get, "head": {**get, "operationId": f"{get['operationId']}_head", "responses": responses}}


def _without_body(response: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in response.items() if key != "content"}


if __name__ == "__main__":
    COMPILED.write_text(compiled(), encoding="utf-8")
