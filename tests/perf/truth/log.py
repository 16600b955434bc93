"""Records of the truth server: one JSON line for each request for a document; tests read them."""

from __future__ import annotations

from pathlib import Path

import msgspec

PRODUCT = "/doc"
"""Document that the load generator under test reads."""
REFERENCE = "/reference"
"""The same document for the independent client, so that the log tells their requests apart."""


class Record(msgspec.Struct, frozen=True):
    """One request, and what the server did with it. Times are seconds since the epoch."""

    path: str
    number: int
    """Number of the request among those for the same document, from 1."""
    connection: int
    """Number of the connection among those that asked for the same document, from 1."""
    arrived_s: float
    """When the server had read the request."""
    due_s: float
    """When the mode wanted the last byte to be sent."""
    ended_s: float
    """When the last byte was sent or the connection closed; of a request that is held, when it arrived."""
    did: str
    """`modes.Act.what`, or `abandoned` if the client closed the connection before."""
    agent: str
    """The client's `User-Agent`."""

    @property
    def service_s(self) -> float:
        """Time that the server took, in seconds."""
        return self.ended_s - self.arrived_s


def read(path: Path, document: str = PRODUCT) -> list[Record]:
    """Return the records of one document, in the order in which they were decided."""
    decode = msgspec.json.Decoder(Record).decode
    records = [decode(line) for line in path.read_bytes().splitlines()]
    return [record for record in records if record.path == document]
