"""Documents that prove themselves: each carries its version, its length and a checksum of the rest.

A reader who has one whole knows that it is of one version, whoever served it and however.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tests.support.trees import plant

_HEAD = re.compile(r"# (?P<name>[\w-]+)\n\nversion: (?P<version>\d+)\nbytes: (?P<size>\d{8})\nsha256: ")
_DIGEST_CHARACTERS = 64
_LAID_OUT = {
    "sdlc-core": ("sdlc-core.md", "sdlc/core"),
    "patterns-core": ("python/patterns-core.md", "patterns/python/core"),
    **{
        f"{kind}-template": (f"templates/{kind}-template.xml", f"templates/{kind}-template")
        for kind in ("prd", "epic", "hls", "backlog-story")
    },
}
"""File and resource of the documents that the built-in rules give a place; others are files of their name."""

MISSION = [*["sdlc-core"] * 12, *["patterns-core"] * 8, *(name for name in _LAID_OUT if "template" in name)]
"""The mission's mix: of six reads three are of the standards, two of patterns, one of any template."""

_LINE = "Version {version} of {name}: line {number}, in which naïve readers find nothing of another.\n"


class Torn(Exception):
    """The bytes read are not a complete document; names the version that they claim to be, if any."""

    def __init__(self, why: str, version: int | None = None) -> None:
        super().__init__(why)
        self.version = version


LINES = 60


def compose(name: str, version: int, lines: int = LINES) -> bytes:
    """Make a document; its length changes with its version."""
    text = "".join(_LINE.format(version=version, name=name, number=number) for number in range(lines))
    body = (text + "." * (version % 7) + "\n").encode()
    head = f"# {name}\n\nversion: {version}\nbytes: {{:08}}\nsha256: "
    size = len(head.format(0)) + _DIGEST_CHARACTERS + 1 + len(body)
    return (head.format(size) + hashlib.sha256(body).hexdigest() + "\n").encode() + body


def verify(content: bytes, name: str) -> int:
    """Return the version of a document that is whole.

    Raises:
        Torn: It is not, or it is another document.
    """
    found = _HEAD.match(content[:256].decode("utf-8", "replace"))
    if found is None:
        raise Torn(f"{len(content)} bytes that do not begin as a document: {content[:40]!r}")
    version = int(found["version"])
    if found["name"] != name:
        raise Torn(f"asked for {name}, got {found['name']}", version)
    if len(content) != int(found["size"]):
        raise Torn(f"version {version} has {found['size']} bytes, not {len(content)}", version)
    at = found.end() + _DIGEST_CHARACTERS
    if hashlib.sha256(content[at + 1 :]).hexdigest().encode() != content[found.end() : at]:
        raise Torn(f"the checksum of version {version} does not fit", version)
    return version


def plant_documents(root: Path, names: Iterable[str], lines: int = LINES) -> Path:
    """Write version 1 of each document, old enough to be believed at once, and return the root."""
    return plant(root, {file_of(name): compose(name, 1, lines) for name in names})


def file_of(name: str) -> str:
    """Return where a document is beneath the root."""
    return _LAID_OUT[name][0] if name in _LAID_OUT else f"{name}.md"


def resource_of(name: str) -> str:
    """Return its type and name."""
    return _LAID_OUT[name][1] if name in _LAID_OUT else f"files/{name}.md"


def uri_of(name: str) -> str:
    """Return its URI."""
    return f"mcp://resources/{resource_of(name)}"


def path_of(name: str) -> str:
    """Return the path that it has over HTTP."""
    return f"/mcp/resources/{resource_of(name)}"
