"""Two hosts, one Redis, nginx in front: what readers see while hosts come and go and documents change."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from choirbook.model import Invalidation
from tests.faults.balancer import balancing
from tests.faults.conftest import NAMES
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.hosts import Host, Network, network
from tests.faults.load import Summary, describe, loading
from tests.faults.writing import Writer, replaced, writing
from tests.servers.metrics import metrics, total
from tests.support.redis import RedisServer, running_redis
from tests.support.servers import wait_for
from tests.support.sharing import serving_far

pytestmark = pytest.mark.timeout(300)

SECONDS = 20.0 if IS_WHOLE else 3.0
ROUNDS = 5 if IS_WHOLE else 1
EVERY_S = 0.1
"""Between two edits; each document is edited every 0.4 s."""
BALANCER_LOOKS_AGAIN_S = 2.5
"""nginx counts whole seconds: a host that it leaves alone for one second is asked again after up to two."""
WENT_BACK = "went back"
BY_TURNS, STAYING = "", "ip_hash;"


class Rig(NamedTuple):
    """Two hosts, and where a client finds them."""

    a: Host
    b: Host
    port: int
    where: str
    """Name in the figures."""


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture
def redis(net: Network, tmp_path: Path) -> Iterator[RedisServer]:
    addresses = sorted({"127.0.0.1", *(link.here for link in net.links)})
    with running_redis(tmp_path / "redis", "--protected-mode", "no", "--bind", *addresses) as server:
        yield server


@contextmanager
def serving(
    net: Network, redis: RedisServer, roots: Sequence[Path], directory: Path, choice: str
) -> Iterator[Rig]:
    # The second sees no change by itself, as on a network file system that another host writes to.
    a = Host(net.links[0], roots[0], redis, directory / "a")
    b = Host(net.links[1], roots[1], redis, directory / "b", CHOIRBOOK_WATCH="0")
    with ExitStack() as stack:
        for host in (a, b):
            stack.callback(host.stop)
            host.start()
        port = stack.enter_context(balancing([a.link.address, b.link.address], directory / "nginx", choice))
        yield Rig(a, b, port, net.kind)
    for host in (a, b):
        assert "Traceback" not in host.stderr


class Seen(NamedTuple):
    """Results of the loads."""

    summaries: tuple[Summary, ...]

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.summaries)

    @property
    def why(self) -> str:
        return "; ".join(map(describe, self.summaries))

    def went_back(self) -> int:
        return sum(each.count(WENT_BACK) for each in self.summaries)

    def failed(self) -> int:
        return sum(each.count() for each in self.summaries) - self.went_back()


def load_during(rig: Rig, action: Callable[[], None]) -> Seen:
    """Load the balancer while something happens: all forms, new connections, and readers that never rest."""
    one = NAMES[:1]
    with (
        loading(rig.port, NAMES, rate_per_s=60, resend=True) as all_forms,
        loading(rig.port, NAMES, rate_per_s=40, fresh=True) as fresh,
        # Asked by turns, the hosts answer these every few milliseconds.
        loading(rig.port, one, rate_per_s=200, connections=1, forms=("raw",), resend=True) as restless,
    ):
        action()
        return Seen(tuple(load.finish() for load in (all_forms, fresh, restless)))


def rest(seconds: float = SECONDS) -> None:
    end_s = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end_s, "the load has run", seconds + 10)


def hold(figures: Figures, promise: int, fault: str, seen: Seen) -> None:
    figures.hold(promise, fault, "failed requests", seen.failed(), "requests", at_most=0, why=seen.why)
    figures.tell(promise, fault, "verified requests", seen.requests, "requests")


def hold_one_version(figures: Figures, fault: str, seen: Seen) -> None:
    figures.hold(
        4, fault, "reads of an older version than before", seen.went_back(), "reads", at_most=0, why=seen.why
    )


def hold_freshness(figures: Figures, fault: str, seen: Seen, writer: Writer) -> None:
    late_ms = sorted(late for each in seen.summaries for late in each.staleness_ms(writer.published_s))
    assert late_ms, "readers saw the changes"
    p99_ms = late_ms[int(0.99 * (len(late_ms) - 1))]
    figures.hold(3, fault, "old content given out after a change, p99", p99_ms, "ms", at_most=1000)


@pytest.fixture
def rig(net: Network, redis: RedisServer, root: Path, tmp_path: Path) -> Iterator[Rig]:
    with serving(net, redis, [root, root], tmp_path, BY_TURNS) as made:
        yield made


def test_edits_of_a_shared_tree_show_on_both_hosts_at_once(rig: Rig, root: Path, figures: Figures) -> None:
    with writing(root, NAMES, replaced, EVERY_S) as writer:
        seen = load_during(rig, rest)

    fault = f"documents edited, a tree shared by two hosts ({rig.where}), asked by turns"
    hold(figures, 4, fault, seen)
    hold_one_version(figures, fault, seen)
    hold_freshness(figures, fault, seen, writer)


def misses(host: Host) -> float:
    with host.client() as client:
        return total(metrics(client), "mcp_resource_cache_misses_total")


async def invalidate_all(root: Path, redis: RedisServer) -> None:
    async with serving_far(root, redis, redis_secret="0123456789abcdef" * 2) as third:
        await third.app.cache_control.invalidate(Invalidation())


# On hosts without a load `tests/faults/test_invalidation.py` has it.
@pytest.mark.long
def test_invalidation_by_a_third_host_fails_no_request(
    rig: Rig, redis: RedisServer, root: Path, figures: Figures
) -> None:
    def invalidate() -> None:
        rest(0.5)
        before = [misses(rig.a), misses(rig.b)]
        asyncio.run(invalidate_all(root, redis))
        wait_for(
            lambda: misses(rig.a) > before[0] and misses(rig.b) > before[1], "both read their files again"
        )
        rest(0.5)

    seen = load_during(rig, invalidate)

    fault = f"all invalidated, two hosts ({rig.where})"
    hold(figures, 8, fault, seen)
    hold_one_version(figures, fault, seen)


def test_killed_host_fails_no_request(rig: Rig, root: Path, figures: Figures) -> None:
    def kill() -> None:
        for host in (rig.b, rig.a) * ROUNDS:
            rest(0.5)
            host.kill()
            rest(0.5)
            host.start()
            rest(BALANCER_LOOKS_AGAIN_S)

    with writing(root, NAMES, replaced, EVERY_S):
        seen = load_during(rig, kill)

    fault = f"kill -9 of all processes of one of two hosts ({rig.where}), behind nginx"
    hold(figures, 7, fault, seen)
    hold_one_version(figures, fault, seen)


# `test_stopping.py` has both for one host, without a balancer.
@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("SIGHUP to", lambda host: host.renew()),
        ("stop and start of", lambda host: (host.stop(), host.start())),
    ],
    ids=["renewed", "restarted"],
)
def test_rolling_restart_fails_no_request(
    rig: Rig, root: Path, figures: Figures, what: str, how: Callable[[Host], object]
) -> None:
    def restart() -> None:
        for host in (rig.a, rig.b) * ROUNDS:
            how(host)
            rest(BALANCER_LOOKS_AGAIN_S)

    with writing(root, NAMES, replaced, EVERY_S):
        seen = load_during(rig, restart)

    fault = f"{what} one of two hosts after the other ({rig.where}), behind nginx"
    hold(figures, 8, fault, seen)
    figures.tell(4, fault, "reads of an older version than before", seen.went_back(), "reads")


@contextmanager
def synchronised(here: Path, there: Path, every_s: float) -> Iterator[None]:
    """Bring files from one tree to another, each by a rename, again and again."""
    stop = threading.Event()

    def run() -> None:
        known: dict[str, int] = {}
        while not stop.wait(every_s):
            for path in sorted(here.glob("[!.]*")):
                stamp = path.stat().st_mtime_ns
                if known.get(path.name) != stamp:
                    shutil.copy2(path, there / f".{path.name}.new")
                    (there / f".{path.name}.new").replace(there / path.name)
                    known[path.name] = stamp

    thread = threading.Thread(target=run, name="synchronising")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# Readers of a shared tree meet the same code; the trees themselves are brought together by others.
@pytest.mark.long
def test_hosts_with_a_tree_each_serve_one_version_to_readers_that_stay(
    net: Network, redis: RedisServer, root: Path, tmp_path: Path, figures: Figures
) -> None:
    copy = shutil.copytree(root, tmp_path / "copy" / "library")
    with (
        serving(net, redis, [root, copy], tmp_path, STAYING) as rig,
        synchronised(root, copy, 0.3),
        writing(root, NAMES, replaced, EVERY_S) as writer,
    ):
        seen = load_during(rig, rest)
        for host in (rig.b, rig.a):
            moved = load_during(rig, partial(move, host))
            fault = f"stop and start of one of two hosts with a tree each ({rig.where}), behind nginx"
            hold(figures, 8, fault, moved)
            measure = "reads of an older version than before, by readers that had to move"
            figures.tell(4, fault, measure, moved.went_back(), "reads")

    fault = f"documents edited, two hosts with a tree each ({rig.where}), each client at one"
    hold(figures, 4, fault, seen)
    hold_one_version(figures, fault, seen)
    hold_freshness(figures, fault, seen, writer)


def move(host: Host) -> None:
    rest(0.5)
    host.stop()
    rest(0.5)
    host.start()
    rest(BALANCER_LOOKS_AGAIN_S)
