"""Promise 13: no byte from outside the root, though what is inside turns into a link while it is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Serve
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.pipelining import get
from tests.support.renaming import exchange
from tests.support.servers import RawConnection, wait_for
from tests.support.trees import plant

READS = 50_000 if IS_WHOLE else 4000
BATCH = 20
SECRET = b"What nobody is to read."
ALLOWED = b"# Allowed\n\nWhat all may read.\n"


@contextmanager
def swapping(one: Path, other: Path) -> Iterator[list[int]]:
    """Swap two names without a pause, for as long as the context lasts; what is yielded counts how often."""
    stop, swaps = threading.Event(), [0]

    def swap() -> None:
        while not stop.is_set():
            exchange(one, other)
            swaps[0] += 1

    thread = threading.Thread(target=swap, name="swapper")
    thread.start()
    try:
        yield swaps
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("what", ["file", "directory"])
def test_swapped_link_shows_nothing_from_outside(
    serve: Serve, root: Path, tmp_path: Path, what: str, figures: Figures
) -> None:
    outside = plant(tmp_path / "outside", {"page.md": b"# Outside\n\n" + SECRET + b"\n"})
    plant(root, {"inside/page.md": ALLOWED})
    link = root / "link"
    if what == "file":
        one, aim = root / "inside/page.md", outside / "page.md"
    else:
        one, aim = root / "inside", outside
    # So short a time to live that most reads open the file anew.
    with serve(CACHE_TTL="0.001") as server, server.client() as client:
        path = "/mcp/resources/files/inside/page.md?format=raw"
        wait_for(lambda: client.get(path).content == ALLOWED, "the document is served")
        link.symlink_to(aim)
        leaked = read = 0
        with swapping(one, link) as swaps, RawConnection(server.port) as connection:
            for _ in range(READS // BATCH):
                connection.send(get(path) * BATCH)
                bodies = [connection.receive().body for _ in range(BATCH)]
                leaked += sum(SECRET in body for body in bodies)
                read += len(bodies)

    fault = f"a {what} that is swapped for a link out of the root, without a pause"
    assert SECRET not in server.stderr.encode()
    figures.tell(13, fault, "swaps", swaps[0], "swaps")
    figures.tell(13, fault, "reads", read, "reads")
    figures.hold(13, fault, "reads that showed what is outside", leaked, "reads", at_most=0)
