"""Streams of a server that listens on every address, as in a container."""

from __future__ import annotations

from pathlib import Path

from tests.servers.metrics import metrics, total
from tests.support.servers import rsgi_command, running, wait_for
from tests.support.streams import listening
from tests.support.trees import plant

COUNT, ROUNDS = 400, 6


def test_client_that_reads_everything_is_never_taken_for_a_slow_one(tmp_path: Path) -> None:
    root = plant(tmp_path / "library", {f"{number:03}.md": "# One\n" for number in range(COUNT)})
    uris = [f"mcp://resources/files/{path.name}" for path in sorted(root.iterdir())]
    command = rsgi_command(root, "--host", "0.0.0.0", "--public", "--allowed-host", "localhost")  # noqa: S104
    with (
        running(command, tmp_path / "server", {"CHOIRBOOK_STALL_S": "0.3"}) as server,
        server.client() as client,
    ):
        with listening(client, uris) as events:
            events.next()
            for number in range(ROUNDS):
                for path in root.iterdir():
                    path.write_text(f"# Edition {number}\n")
                told: set[str] = set()
                while len(told) < COUNT:
                    told.add(events.next()["params"]["uri"])
        with server.client(fresh=True) as later:
            # The socket that listens was shut down once, in the place of a stalled connection.
            wait_for(
                lambda: total(metrics(later), "choirbook_ended_streams_total", reason="client") == 1,
                "the end of the stream is counted",
            )
            assert total(metrics(later), "choirbook_ended_streams_total", reason="slow") == 0
