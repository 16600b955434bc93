"""Dimensions of the matrix: clients, eras, transports, operations. The list for tests and page."""

from __future__ import annotations

import json
from enum import Enum
from typing import NamedTuple

import msgspec

from tests.support.servers import ERAS, REPOSITORY

HERE = "tests/clients/matrix"

TRANSPORTS = ("http", "stdio")

OPERATIONS = {
    "connect": "The client and Choirbook agree on the newest revision of the era.",
    "list": "The client gets all pages of the listing, the size of every document, and the URI templates.",
    "read": "The client reads non-ASCII text, a URI with escapes, and an image, byte for byte.",
    "errors": "If a URI does not exist, the client passes on the URI that Choirbook suggests instead.",
    "complete": "The client completes a variable of a URI template, given the value of another variable.",
    "prompts": "The client lists a template as a prompt with its arguments, and gets the filled-in text.",
    "search": "The tool `search` finds a document, and the tool `read` returns all of it.",
    "subscribe": "After an edit, the client gets a notification and then reads the new text.",
}
"""Operations of a client, in this order, with the expected results."""


class Runtime(Enum):
    """Runtime of a driver."""

    DEV = "the development environment"
    PYTHON_SDK_1 = ".cache/clients/python-sdk-1"
    NODE = ".cache/node"


class Client(msgspec.Struct, frozen=True):
    """A client of other people's making."""

    id: str
    title: str
    package: str
    pins: str
    """The file that has the exact version of the package."""
    runtime: Runtime
    driver: str
    eras_lacking: dict[str, str] = {}
    """Eras that it does not speak, with the reason."""
    operations_lacking: dict[str, str] = {}
    """Operations that it does not offer, with the reason."""
    note: str = ""

    @property
    def version(self) -> str:
        """The version that is pinned."""
        text = (REPOSITORY / self.pins).read_text("utf-8")
        if self.pins.endswith(".json"):
            return str(json.loads(text)["dependencies"][self.package])
        return dict(line.split("==") for line in text.splitlines())[self.package]


class Conversation(NamedTuple):
    """One run of a driver."""

    client: str
    transport: str
    era: str

    def __str__(self) -> str:
        return "-".join(self)


CLIENTS = {
    client.id: client
    for client in (
        Client(
            "python-sdk-2",
            "Python SDK 2",
            "mcp",
            "constraints.txt",
            Runtime.DEV,
            "python_sdk_2",
            note='Negotiates the era; `Client(..., mode="legacy")` forces the handshake era.',
        ),
        Client(
            "python-sdk-1",
            "Python SDK 1",
            "mcp",
            f"{HERE}/constraints-python-sdk-1.txt",
            Runtime.PYTHON_SDK_1,
            "python_sdk_1",
            eras_lacking={"modern": "The 1.x line of the SDK ends with revision 2025-11-25."},
        ),
        Client(
            "fastmcp",
            "FastMCP",
            "fastmcp",
            "constraints.txt",
            Runtime.DEV,
            "fastmcp_client",
            note=(
                "Negotiates the era, like the SDK. It has no methods for subscriptions; the test uses those "
                "of the SDK session `client.session`."
            ),
        ),
        Client(
            "typescript-client",
            "TypeScript SDK 2",
            "@modelcontextprotocol/client",
            "tests/node/package.json",
            Runtime.NODE,
            "typescript_client.mjs",
            note=(
                'Uses the handshake era unless it is created with `versionNegotiation: { mode: "auto" }`. '
                "Over stdio it then starts the server twice, the first time to find out the era."
            ),
        ),
        Client(
            "typescript-sdk",
            "TypeScript SDK 1",
            "@modelcontextprotocol/sdk",
            "tests/node/package.json",
            Runtime.NODE,
            "typescript_sdk.mjs",
            eras_lacking={"modern": "The 1.x line of the SDK ends with revision 2025-11-25."},
        ),
        Client(
            "inspector",
            "MCP Inspector, `--cli`",
            "@modelcontextprotocol/inspector",
            "tests/node/package.json",
            Runtime.DEV,
            "inspector",
            note="Uses the handshake era unless called with `--protocol-era auto` or `modern`.",
            operations_lacking={
                "complete": "`--cli` does not support this; the Inspector's other interfaces do.",
                "subscribe": "`--cli` sends one request and does not wait for notifications.",
            },
        ),
    )
}

CONVERSATIONS = [
    Conversation(client, transport, era) for client in CLIENTS for transport in TRANSPORTS for era in ERAS
]


def reason_lacking(conversation: Conversation, operation: str) -> str | None:
    """Return why a cell is not offered by the client, or None where it is offered."""
    client = CLIENTS[conversation.client]
    return client.eras_lacking.get(conversation.era) or client.operations_lacking.get(operation)
