"""Promise 6: what cannot be read is served as it last was, and says so; what is gone is not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose, path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.faults.processes import WITHOUT_PRIVILEGES, failing, need, without_descriptors
from tests.servers.metrics import metrics, total
from tests.support import trees
from tests.support.servers import RawConnection, Server, wait_for

TTL_S = 0.2
"""TTL of the cache in seconds, so short that reads go to the source again and again."""
SECONDS = 30.0 if IS_WHOLE else 2.0
STALE = "mcp_resource_stale_reads_total"

Fault = Callable[[Server, Path], AbstractContextManager[None]]


@contextmanager
def forbidden_files(_: Server, root: Path) -> Iterator[None]:
    paths = [root / f"{name}.md" for name in NAMES]
    for path in paths:
        path.chmod(0)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o644)


@contextmanager
def forbidden_root(_: Server, root: Path) -> Iterator[None]:
    root.chmod(0)
    try:
        yield
    finally:
        root.chmod(0o755)


@contextmanager
def broken_disk(server: Server, _: Path) -> Iterator[None]:
    (worker,) = server.workers()
    with failing(worker, "openat2", "EIO"):
        yield


@contextmanager
def broken_sectors(server: Server, root: Path) -> Iterator[None]:
    (worker,) = server.workers()
    with failing(worker, "read", "EIO", [root / f"{name}.md" for name in NAMES]):
        yield


@contextmanager
def no_descriptors(server: Server, _: Path) -> Iterator[None]:
    (worker,) = server.workers()
    with without_descriptors(worker):
        yield


FAULTS: dict[str, Fault] = {
    "EACCES: files that may not be read": forbidden_files,
    "EACCES: a root that may not be entered": forbidden_root,
    "EIO: every open fails": broken_disk,
    "EIO: files open, and their reads fail": broken_sectors,
    "EMFILE: no descriptor left": no_descriptors,
}

ALIKE = ("EACCES: a root that may not be entered", "EIO: files open, and their reads fail")


@pytest.fixture
def serve_few(serve: Serve) -> Callable[..., AbstractContextManager[Server]]:
    """Serve without the privileges that permissions do not hold for."""

    def serve_few(**variables: str) -> AbstractContextManager[Server]:
        is_root = os.geteuid() == 0
        if is_root:
            need("setpriv")
        wrapper = WITHOUT_PRIVILEGES if is_root else ()
        return serve(wrapper=wrapper, CACHE_TTL=str(TTL_S), **variables)

    return serve_few


def is_stale(client: httpx.Client) -> bool:
    return str(client.get(path_of("ash")).headers.get("x-cache")) == "stale"


# One fault of each kind; the full set has all.
@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=pytest.mark.long if fault in ALIKE else ()) for fault in FAULTS]
)
def test_last_good_content_is_served_and_says_so(
    serve_few: Callable[..., AbstractContextManager[Server]], root: Path, fault: str, figures: Figures
) -> None:
    with (
        serve_few() as server,
        server.client() as client,
        # Its connections are made before: with no descriptor left, none can be.
        loading(server.port, NAMES, rate_per_s=100, connections=32) as load,
    ):
        wait_for(
            lambda: total(metrics(client), "mcp_resource_cache_misses_total") >= 4 * len(NAMES),
            "all is known",
        )
        begun_s = time.monotonic()
        with FAULTS[fault](server, root):
            wait_for(lambda: is_stale(client), "it is stale")
            wait_for(lambda: total(metrics(client), STALE) > 0, "the metric shows it")
            shown_s = time.monotonic() - begun_s
            end_s = time.monotonic() + SECONDS
            wait_for(lambda: time.monotonic() > end_s, "the fault lasted", SECONDS + 10)
            assert client.get("/healthz").status_code == 200
        wait_for(lambda: not is_stale(client), "it has healed")
        trees.replace(root / "ash.md", compose("ash", 2))
        wait_for(lambda: "version: 2\n" in client.get(path_of("ash")).json()["content"], "edits show")
        summary = load.finish()

    assert summary.served["stale"] > 0
    assert set(summary.sightings["ash"]) <= {1, 2}
    assert "Traceback" not in server.stderr
    figures.hold(6, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.tell(6, fault, "reads answered with the last good content", summary.served["stale"], "reads")
    figures.hold(16, fault, "until a metric shows it", shown_s, "s", at_most=15.0)


def test_last_good_content_is_served_no_longer_than_it_may(
    serve_few: Callable[..., AbstractContextManager[Server]], root: Path, figures: Figures
) -> None:
    with serve_few(CHOIRBOOK_LAST_GOOD_S="1") as server, server.client() as client:
        assert client.get(path_of("ash")).status_code == 200
        with forbidden_files(server, root):
            wait_for(lambda: is_stale(client), "it is stale")
            begun_s = time.monotonic()
            wait_for(lambda: client.get(path_of("ash")).is_server_error, "it is served no longer")
            taken_s = time.monotonic() - begun_s
        wait_for(lambda: client.get(path_of("ash")).status_code == 200, "it is served again")

    # The default is ten minutes; the setting is what is shown here.
    assert taken_s > 0.5
    figures.hold(
        6, "a file unreadable, allowed for 1 s", "last good content given out", taken_s, "s", at_most=2.0
    )


def test_connections_wait_while_there_is_no_descriptor(serve: Serve) -> None:
    with serve() as server:
        (worker,) = server.workers()
        with RawConnection(server.port) as early, without_descriptors(worker):
            waiting = [RawConnection(server.port) for _ in range(20)]
            for connection in [early, *waiting]:
                connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for connection in waiting:
            with connection:
                assert connection.receive().status == 200


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


GONE: dict[str, Callable[[Path], None]] = {
    "a file deleted": lambda root: (root / "ash.md").unlink(),
    "a directory in its place": lambda root: become_directory(root / "ash.md"),
    "its directory deleted": lambda root: shutil.rmtree(root / "wood"),
}


# Where nothing watches, reads find out, whichever way a file went: one of the ways here, all in the full set.
@pytest.mark.parametrize(
    ("how", "watch"),
    [
        pytest.param(
            how, watch, marks=pytest.mark.long if watch == "false" and how != "a file deleted" else ()
        )
        for how in GONE
        for watch in ("true", "false")
    ],
)
def test_what_is_gone_is_not_served(serve: Serve, root: Path, how: str, watch: str, figures: Figures) -> None:
    (root / "wood").mkdir()
    trees.plant(root / "wood", {"oak.md": "# Oak\n"})
    path = path_of("wood/oak") if "directory deleted" in how else path_of("ash")
    with serve(CHOIRBOOK_WATCH=watch) as server, server.client() as client:
        assert client.get(path).status_code == 200
        begun_s = time.monotonic()
        GONE[how](root)
        wait_for(lambda: client.get(path).status_code == 404, "it is not served")
        taken_s = time.monotonic() - begun_s

    fault = how if watch == "true" else f"{how}, nothing watches"
    figures.hold(6, fault, "until it was not served", taken_s, "s", at_most=5.0)
