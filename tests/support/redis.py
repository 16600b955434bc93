"""A Redis of a test's own: a real server on loopback, ended by its process id."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

DEADLINE_S = 20.0


class RedisServer:
    """A Redis server that can be killed, stopped, and started again on its port.

    Args:
        directory: Where it keeps its files.
    """

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "install Redis: apt-get install redis-server"
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start it, and wait until it listens."""
        self._directory.mkdir(parents=True, exist_ok=True)
        quiet = ("--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", "redis.log")
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory))
        self._process = subprocess.Popen(
            [self._program, *where, *quiet, *options],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end_s = time.monotonic() + DEADLINE_S
        while not self._listens():
            assert self._process.poll() is None, (self._directory / "redis.log").read_text()
            assert time.monotonic() < end_s, "Redis does not listen"
            time.sleep(0.01)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it without an end: connections stay, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:
        """Return a client of another make than Choirbook's way of asking."""
        return redis.Redis(host="127.0.0.1", port=self.port, protocol=3, **options)

    def keys(self, pattern: str = "choirbook:*") -> list[str]:
        """Return the keys of a pattern, in order."""
        with self.client() as client:
            return sorted(key.decode() for key in client.scan_iter(match=pattern, count=1000))

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Collect the commands that are carried out within the context; they are there once it ends.

        Yields:
            Each command with its arguments, those of scripts too.
        """
        heard: list[str] = []
        with self.client() as client, client.monitor() as monitor:
            yield heard
            end = f"the end, {id(heard)}"
            client.echo(end)
            while end not in (command := monitor.next_command()["command"]):
                heard.append(command)

    def commands(self) -> dict[str, int]:
        """Return how often each command was carried out."""
        with self.client() as client:
            stats: dict[str, Any] = client.info("commandstats")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}


def on_content(commands: list[str]) -> list[str]:
    """Return the commands by which content is read, written or removed, or its load is shared out."""
    return [command for command in commands if ":resource:" in command or ":lease:" in command]


def free_port() -> int:
    """Return a port of loopback that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_redis(directory: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server for as long as the context lasts."""
    server = RedisServer(directory)
    server.start(*options)
    try:
        yield server
    finally:
        server.kill()
