"""Measurements of `choirbook perf cold`: starts, first reads, steady misses, and the same with preloading.

One request at a time: the question is how long one reader waits, not how many can be served.
"""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import NamedTuple

import msgspec

from choirbook_perf.cold import Cold, FirstRead, Preloading, Start, Steady, judge
from choirbook_perf.environment import environment
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.own_server import Document, Launched, documents_of, launched, launched_stdio
from choirbook_perf.pagecache import PageCache, resident_pages
from choirbook_perf.targets import HANDSHAKE_VERSION, HttpTarget, Judged, McpTarget, Request, Session

FORMS = ("raw", "json", "modern", "handshake")
STEADY_READS = 200
_AT_ONCE = {"CACHE_TTL": "0.000001", "CHOIRBOOK_CACHE_GRACE_S": "0"}
"""Settings by which every entry has expired when it is requested again, so that each read is a miss."""

_PRELOAD_DEADLINE_S = 120.0


class ColdOptions(NamedTuple):
    """Measurements to make."""

    library: Path
    rounds: int
    """Number of starts of each kind."""
    resources: int
    """Maximum number of resources to read, evenly spread."""
    limit_ms: float


class _Timed(NamedTuple):
    ms: float
    answer: Judged


class ColdRun:
    """One run. Whenever it is interrupted, `result` is what was measured so far.

    Args:
        options: See `ColdOptions`.
        say: Told what is done next.
    """

    def __init__(self, options: ColdOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._documents = documents_of(options.library)
        self._chosen = _spread(self._documents, options.resources)
        self._started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._environment = environment()
        self._page_cache = PageCache(options.library / self._chosen[0].path)
        self._starts: list[Start] = []
        self._first_reads: list[FirstRead] = []
        self._preloaded_reads: list[FirstRead] = []
        self._steady: list[Steady] = []
        self._preloading: Preloading | None = None

    def run(self) -> Cold:
        """Measure everything; an interrupt ends it early, with a partial result.

        Raises:
            ServerUnreachable: Choirbook did not start, or answers with errors.
        """
        try:
            for step in (
                self._measure_starts,
                self._measure_first,
                self._measure_steady,
                self._measure_preloaded,
            ):
                step()
        except KeyboardInterrupt:
            return self.result(is_partial=True)
        return self.result()

    def result(self, *, is_partial: bool = False) -> Cold:
        """Return the measurements so far."""
        options, method = self._options, self._page_cache.method.value
        return Cold(
            started=self._started,
            is_partial=is_partial,
            environment=self._environment,
            resources=len(self._documents),
            resources_bytes=sum(document.size for document in self._documents),
            page_cache_method=method,
            limit_ms=options.limit_ms,
            starts=self._starts,
            first_reads=self._first_reads,
            steady=self._steady,
            preloading=self._preloading,
            preloaded_reads=self._preloaded_reads,
            verdict=judge(self._first_reads, options.limit_ms, method),
        )

    def _measure_starts(self) -> None:
        kinds: list[tuple[str, bool, Callable[[], float]]] = [
            ("http", False, self._start_http),
            ("http", True, lambda: self._start_http("--preload")),
            ("stdio", False, self._start_stdio),
        ]
        for transport, preload, start in kinds:
            self._say(f"start to first answer, {transport}{', --preload' if preload else ''}")
            samples_ms = [start() for _ in range(self._options.rounds)]
            self._starts.append(Start(transport=transport, preload=preload, samples_ms=samples_ms))

    def _start_http(self, *flags: str) -> float:
        start_s = perf_counter()
        with launched(self._options.library, *flags) as server:
            connection = server.connect()
            timed(connection, request_of(server.url, "raw", self._chosen[0].uri))
            taken_s = perf_counter() - start_s
            connection.close()
        return taken_s * 1000

    def _start_stdio(self) -> float:
        request = McpTarget("", "modern").read(self._chosen[0].uri)
        start_s = perf_counter()
        with launched_stdio(self._options.library) as process:
            taken_s = _ask(process, request) - start_s
        return taken_s * 1000

    def _measure_first(self) -> None:
        self._say(f"first reads of {len(self._chosen)} resources on a cold cache")
        with launched(self._options.library) as server:
            connection = server.connect()
            self._read_first(server, connection, self._first_reads)
            self._read_steadily(server, connection, "raw", "hit")
            self._read_steadily(server, connection, "modern", "hit")
            connection.close()

    def _measure_steady(self) -> None:
        self._say("steady misses")
        with launched(self._options.library, variables=_AT_ONCE) as server:
            connection = server.connect()
            self._read_steadily(server, connection, "raw", "miss")
            self._read_steadily(server, connection, "modern", "miss")
            connection.close()

    def _measure_preloaded(self) -> None:
        self._say("first reads after serve --preload")
        start_s = perf_counter()
        with launched(self._options.library, "--preload") as server:
            connection = server.connect()
            preloaded = _wait_preloaded(connection)
            self._preloading = Preloading(finished_ms=(perf_counter() - start_s) * 1000, preloaded=preloaded)
            self._read_first(server, connection, self._preloaded_reads)
            connection.close()

    def _read_first(
        self, server: Launched, connection: http.client.HTTPConnection, into: list[FirstRead]
    ) -> None:
        for document in self._chosen:
            path = self._options.library / document.path
            for form in FORMS:
                self._page_cache.drop(path)
                was_in_page_cache = resident_pages(path) > 0
                taken = timed(connection, request_of(server.url, form, document.uri))
                into.append(
                    FirstRead(document.uri, form, taken.ms, taken.answer.cache_result, was_in_page_cache)
                )

    def _read_steadily(
        self, server: Launched, connection: http.client.HTTPConnection, form: str, cache_result: str
    ) -> None:
        requests = [request_of(server.url, form, document.uri) for document in self._chosen]
        # One pass to load the documents into the system's memory and, for hits, the server's.
        for request in requests:
            timed(connection, request)
        taken = [
            timed(connection, requests[n % len(requests)]) for n in range(max(STEADY_READS, len(requests)))
        ]
        others = {each.answer.cache_result for each in taken} - {cache_result, "unknown"}
        if others:
            raise ServerUnreachable(
                f"Reads expected to have cache result {cache_result!r} had {', '.join(sorted(others))}: the "
                "library changes, or does not fit in the cache. Measure a copy that nobody edits."
            )
        self._steady.append(
            Steady(cache_result=cache_result, form=form, samples_ms=[each.ms for each in taken])
        )


def request_of(url: str, form: str, uri: str) -> Request:
    """Return the request for a resource in a form."""
    if form in {"modern", "handshake"}:
        session = Session(version=HANDSHAKE_VERSION) if form == "handshake" else Session()
        return session.prepare(McpTarget(f"{url}/mcp", form).read(uri))
    scheme, _, rest = uri.partition("://")
    place = rest.removeprefix("resources/") if uri.startswith("mcp://resources/") else f"{scheme}:/{rest}"
    # A catalog's URI is percent-encoded already.
    request = HttpTarget(url).read(f"/mcp/resources/{place}")
    accept = "application/json" if form == "json" else "text/*, */*;q=0.1"
    return request._replace(headers={**request.headers, "Accept": accept})


def timed(connection: http.client.HTTPConnection, request: Request) -> _Timed:
    """Send a request and measure the time until the last byte.

    Raises:
        ServerUnreachable: The request failed.
    """
    path = "/" + request.url.split("/", 3)[3]
    start_s = perf_counter()
    try:
        connection.request(request.method, path, request.body, request.headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachable(
            f"The connection to the server broke while reading {path}: {error}. See its log for the reason."
        ) from error
    ms = (perf_counter() - start_s) * 1000
    target = HttpTarget if request.method == "GET" else McpTarget
    answer = target.judge(response.status, response.headers, body)
    if answer.failure:
        raise ServerUnreachable(
            f"{path} was not read: {answer.failure}. Run 'choirbook check' to find the reason."
        )
    return _Timed(ms, answer)


def _ask(process: subprocess.Popen[bytes], request: Request) -> float:
    """Send one line and return the time of its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write((request.body or b"") + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        taken_s = perf_counter()
    answer = McpTarget.judge(200, {"content-type": "application/json"}, line)
    if answer.failure:
        raise ServerUnreachable(f"'choirbook stdio' failed to answer: {answer.failure}.")
    return taken_s


class _Readiness(msgspec.Struct, frozen=True):
    preloaded: int = 0
    preloading: bool = True


def _wait_preloaded(connection: http.client.HTTPConnection) -> int:
    for state in _readiness(connection):
        if not state.preloading:
            return state.preloaded
    raise ServerUnreachable(
        f"Preloading did not end within {_PRELOAD_DEADLINE_S:g} s. See the server's log for the reason."
    )


def _readiness(connection: http.client.HTTPConnection) -> Iterator[_Readiness]:
    deadline_s = monotonic() + _PRELOAD_DEADLINE_S
    while monotonic() < deadline_s:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read()
        if response.status == http.client.OK:
            yield msgspec.json.decode(body, type=_Readiness)
        sleep(0.002)


def _spread(documents: list[Document], most: int) -> list[Document]:
    """Choose at most `most` documents, evenly spread over the list."""
    count = min(most, len(documents))
    return [documents[position * len(documents) // count] for position in range(count)]
