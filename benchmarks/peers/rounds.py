"""Measurement in turns: every round loads each server once per kind of request; the others are idle."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.peers.servers import CASES, Peer, Place
from benchmarks.processes import free_port, running
from benchmarks.requests import Case, plant
from benchmarks.sampler import SERVER_CORE, Load, check, machine, sample
from choirbook_perf.peers import Comparison, Missing, PeerSeries, Sample

WARM_UP_S = 1


class Options(NamedTuple):
    """Options of a measurement."""

    rounds: int
    seconds: int
    connections: int


class _Running(NamedTuple):
    peer: Peer
    url: str
    pid: int


class Measuring:
    """One run.

    Args:
        peers: Servers to compare.
        options: See `Options`.
        say: Called with a description of the next step.
    """

    def __init__(self, peers: Sequence[Peer], options: Options, say: Callable[[str], None]) -> None:
        self._peers = peers
        self._options = options
        self._say = say
        self._missing: list[Missing] = []
        self._samples: dict[tuple[str, str], list[Sample]] = {}

    def run(self) -> Comparison:
        """Measure; an interrupt keeps the complete rounds, marked partial."""
        started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        here = machine()
        is_partial = False
        with tempfile.TemporaryDirectory(prefix="choirbook-peers-") as directory:
            scratch = Path(directory)
            document = plant(scratch / "library")
            try:
                with self._running(document, scratch) as servers:
                    self._measure(servers, document, scratch)
            except KeyboardInterrupt:
                is_partial = True
            size = document.stat().st_size
        return Comparison(
            started=started,
            environment=msgspec.to_builtins(here),
            document_bytes=size,
            rounds=self._options.rounds,
            seconds=self._options.seconds,
            connections=self._options.connections,
            is_partial=is_partial,
            series=[PeerSeries(peer, case, samples) for (case, peer), samples in self._samples.items()],
            missing=self._missing,
            versions={peer.name: peer.version() for peer in self._peers},
        )

    @contextmanager
    def _running(self, document: Path, scratch: Path) -> Iterator[list[_Running]]:
        with ExitStack() as stack:
            servers = []
            for peer in self._peers:
                if reason := peer.lacks():
                    self._missing.append(Missing(peer.name, "", reason))
                    continue
                self._say(f"starting {peer.name}")
                place = Place(free_port(), document, scratch)
                url = f"http://127.0.0.1:{place.port}"
                log = scratch / f"{peer.name}.log"
                try:
                    process = stack.enter_context(
                        running(peer.command(place), url + peer.ready, log, SERVER_CORE, peer.variables)
                    )
                except RuntimeError as error:
                    self._missing.append(Missing(peer.name, "", _short(error)))
                    continue
                servers.append(_Running(peer, url, process.pid))
            yield servers

    def _measure(self, servers: list[_Running], document: Path, scratch: Path) -> None:
        text = document.read_text(encoding="utf-8")
        load = Load(self._options.seconds, self._options.connections, scratch)
        for case in CASES:
            ready = [
                server
                for server in servers
                if case in server.peer.cases and self._answers(server, case, text)
            ]
            ready = [server for server in ready if self._warm(server, case, load._replace(seconds=WARM_UP_S))]
            for round_ in range(self._options.rounds):
                self._say(f"{case.name}: round {round_ + 1} of {self._options.rounds}")
                for server in ready:
                    self._take(server, case, load)

    def _answers(self, server: _Running, case: Case, text: str) -> bool:
        """Return whether a server answers with the document; otherwise it is not compared."""
        try:
            check(case, server.url, text)
        except RuntimeError as error:
            self._missing.append(Missing(server.peer.name, case.name, _short(error)))
            return False
        self._samples[case.name, server.peer.name] = []
        return True

    def _warm(self, server: _Running, case: Case, load: Load) -> bool:
        """Load a server without counting, as V8 and caches need it; return whether it survived."""
        self._say(f"{case.name}: warming up {server.peer.name}")
        return self._sample(server, case, load) is not None

    def _take(self, server: _Running, case: Case, load: Load) -> None:
        taken = self._sample(server, case, load)
        if taken is not None:
            self._samples[case.name, server.peer.name].append(taken)

    def _sample(self, server: _Running, case: Case, load: Load) -> Sample | None:
        try:
            return sample(case, server.url, server.pid, load)
        except RuntimeError as error:
            self._missing.append(Missing(server.peer.name, case.name, _short(error)))
            return None


def _short(error: RuntimeError) -> str:
    """Return the last line of a server's error, which names the reason."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def interrupt_on_sigterm() -> None:
    """Treat a supervisor's SIGTERM like Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
