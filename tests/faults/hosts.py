"""Two hosts on one machine: each in a network namespace of its own, where the system permits it.

Elsewhere they are two servers on ports of loopback; `Network.kind` says which.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.faults.processes import exists
from tests.support.redis import RedisServer, free_port
from tests.support.servers import DEADLINE_S, choirbook, environment, wait_for

NAMESPACES = "two network namespaces"
PROCESSES = "two processes on loopback"

PORT = 8000
"""Port of Choirbook within a namespace."""

_IP = "ip"


class Link:
    """The way to one host.

    Args:
        name: Of the host.
        here: The address of this side.
        there: The host's.
        port: Where the host's server is to listen.
        enter: What runs a command on the host.
    """

    def __init__(self, name: str, here: str, there: str, port: int, enter: tuple[str, ...] = ()) -> None:
        self.name, self.here, self.there, self.port, self.enter = name, here, there, port, enter

    @property
    def address(self) -> str:
        return f"{self.there}:{self.port}"


class Network:
    """Links to two hosts, and of what kind they are."""

    def __init__(self, kind: str, links: Sequence[Link]) -> None:
        self.kind, self.links = kind, links


@contextmanager
def network() -> Iterator[Network]:
    """Set up two hosts for as long as the context lasts."""
    # Of the range for measurements within a network (RFC 2544); of each run its own, as several may run.
    subnet = f"198.{18 + os.getpid() // 256 % 2}.{os.getpid() % 256}"
    tag = f"choirbook{os.getpid()}"
    made: list[str] = []
    try:
        links = []
        for number, name in enumerate("ab"):
            namespace, here, there = (
                f"{tag}{name}",
                f"{subnet}.{4 * number + 1}",
                f"{subnet}.{4 * number + 2}",
            )
            _make(namespace, here, there, made)
            links.append(Link(name, here, there, PORT, (_IP, "netns", "exec", namespace)))
        found = Network(NAMESPACES, links)
    except (OSError, subprocess.CalledProcessError):
        links = [Link(name, "127.0.0.1", "127.0.0.1", free_port()) for name in "ab"]
        found = Network(PROCESSES, links)
    try:
        yield found
    finally:
        for namespace in made:
            # Its end of the pair goes with it, and so does ours.
            _ip("netns", "delete", namespace)


def _make(namespace: str, here: str, there: str, made: list[str]) -> None:
    ours, theirs = f"{namespace[-10:]}0", f"{namespace[-10:]}1"
    _ip("netns", "add", namespace)
    made.append(namespace)
    _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace)
    _ip("address", "add", f"{here}/30", "dev", ours)
    _ip("link", "set", ours, "up")
    _ip("-n", namespace, "address", "add", f"{there}/30", "dev", theirs)
    _ip("-n", namespace, "link", "set", theirs, "up")
    _ip("-n", namespace, "link", "set", "lo", "up")


def _ip(*arguments: str) -> None:
    subprocess.run([_IP, *arguments], check=True, capture_output=True)


class Host:
    """A host that serves a tree.

    Args:
        link: The way to it.
        root: Of the library, as the host sees it.
        redis: Which it shares with the others.
        directory: Where its output is kept.
        variables: Of its server's environment.
    """

    def __init__(self, link: Link, root: Path, redis: RedisServer, directory: Path, **variables: str) -> None:
        self.link = link
        self._directory = directory
        self._command = [
            *link.enter,
            *choirbook("serve", root, "--workers", "2", "--redis", f"redis://{link.here}:{redis.port}/0"),
            *("--host", link.there, "--port", str(link.port), "--public", "--allowed-host", "localhost"),
        ]
        # Redis is another machine to it.
        self._variables = {"CHOIRBOOK_REDIS_SECRET": "0123456789abcdef" * 2, **variables}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stderr(self) -> str:
        return (self._directory / "stderr").read_text("utf-8")

    def start(self) -> None:
        """Start its server, and wait until it is ready and hears of the others."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._directory,
                env=environment(self._variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )
        wait_for(self._is_ready, f"host {self.link.name} is ready")

    def client(self) -> httpx.Client:
        """Make a client that goes past the balancer, over a connection for each request."""
        return httpx.Client(
            base_url=f"http://{self.link.address}",
            headers={"host": "localhost"},
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        assert self._process is not None
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return sorted(int(child) for task in tasks for child in task.read_text("utf-8").split())

    def kill(self) -> None:
        """End all of it at once, as a machine that loses its power does."""
        assert self._process is not None
        pids = [self._process.pid, *self.workers()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        wait_for(lambda: not any(map(exists, pids)), "all of it is gone")

    def stop(self) -> None:
        """End its server as a supervisor does; one that runs no more is nothing to do."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(DEADLINE_S) == 0

    def renew(self) -> None:
        """Make it replace its workers one after the other, and wait until all are new."""
        assert self._process is not None
        before = set(self.workers())
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(now := self.workers()) == len(before) and not before & set(now), "all are new")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.stderr
        with suppress(httpx.TransportError), self.client() as client:
            return len(self.workers()) > 1 and client.get("/readyz").is_success
        return False
