"""Promises 6, 16 and 17 for descriptors: streams leave none behind, and a server without any serves on."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx

from tests.faults.conftest import Serve
from tests.faults.documents import path_of, uri_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.processes import descriptors, without_descriptors
from tests.faults.streaming import DASHBOARD_REQUEST, listen_request, open_stream
from tests.servers.metrics import count, metrics, total
from tests.support.servers import ERAS, post, wait_for
from tests.support.streams import initialize

STREAMS = 1000 if IS_WHOLE else 300
DASHBOARDS = 100 if IS_WHOLE else 50
HELD_AT_ONCE = 20
"""Long enough open, one after the other, for the server to look at each."""
URIS = 1000
SETTLED_S = 1.5
"""Longer than anything holds a file open that it opens now and then."""
SAMPLE_S = 0.02
LONG_NAME = "name-" * 12
"""The first message over a stream to so many documents of such names is over 64 KiB."""
SHORT = "choirbook_workers_short_of_descriptors"


def open_and_close(port: int, request: bytes, streams: int) -> int:
    """Open streams, close each after some others were opened, and return the length of the shortest."""
    lengths = []
    held: deque[socket.socket] = deque()
    with ExitStack() as stack:
        for _ in range(streams):
            made, length = open_stream(port, request)
            held.append(stack.enter_context(made))
            lengths.append(length)
            if len(held) > HELD_AT_ONCE:
                held.popleft().close()
    return min(lengths)


def nothing_is_open(client: httpx.Client) -> bool:
    return total(metrics(client), "choirbook_open_streams") == 0


def test_streams_with_long_answers_leave_no_descriptor_behind(
    serve: Serve, root: Path, figures: Figures
) -> None:
    names = [f"{LONG_NAME}{number}" for number in range(URIS)]
    for name in names:
        (root / f"{name}.md").write_text("# A\n")
    request = listen_request([uri_of(name) for name in names])
    with serve() as server, server.client() as client:
        (worker,) = server.workers()
        open_and_close(server.port, request, 2 * HELD_AT_ONCE)
        wait_for(lambda: nothing_is_open(client), "the first are closed")
        before = settled_descriptors(worker)
        shortest = open_and_close(server.port, request, STREAMS)
        wait_for(lambda: nothing_is_open(client), "all are closed")
        # The connections of the last ones close in their own time.
        wait_for(lambda: descriptors(worker) <= before, f"{before} descriptors are open again")
        more = descriptors(worker) - before
    assert shortest > 64 * 1024
    fault = f"{STREAMS:,} streams whose first message is {shortest // 1024} KiB"
    figures.hold(17, fault, "descriptors, more than before", max(0, more), "descriptors", at_most=0)


def test_dashboards_leave_no_descriptor_behind(serve: Serve, figures: Figures) -> None:
    with serve() as server:
        (worker,) = server.workers()
        open_and_close(server.port, DASHBOARD_REQUEST, HELD_AT_ONCE)
        before = settled_descriptors(worker)
        open_and_close(server.port, DASHBOARD_REQUEST, DASHBOARDS)
        wait_for(lambda: descriptors(worker) <= before, f"{before} descriptors are open again")
        more = descriptors(worker) - before
    fault = f"{DASHBOARDS} dashboards opened and closed"
    figures.hold(17, fault, "descriptors, more than before", max(0, more), "descriptors", at_most=0)


def settled_descriptors(pid: int) -> int:
    """Count the open descriptors of a process once the count is stable.

    A scan opens files for a moment, and caches open some after the start: the least of a window counts, once
    that of the next window is the same.
    """
    lows = [lowest_descriptors(pid)]

    def is_settled() -> bool:
        lows.append(lowest_descriptors(pid))
        return lows[-1] == lows[-2]

    wait_for(is_settled, "no more is opened or closed")
    return lows[-1]


def lowest_descriptors(pid: int) -> int:
    end_s = time.monotonic() + SETTLED_S
    low = descriptors(pid)
    while time.monotonic() < end_s:
        low = min(low, descriptors(pid))
        time.sleep(SAMPLE_S)
    return low


Ask = Callable[[httpx.Client], httpx.Response]


def get(path: str, **headers: str) -> Ask:
    return lambda client: client.get(path, headers=headers)


def read(era: str, name: str) -> Ask:
    return lambda client: post(client, era, "resources/read", uri=uri_of(name))


def end_new_session(client: httpx.Client) -> httpx.Response:
    return client.delete("/mcp", headers={"mcp-session-id": "no-such-session-there-ever-was"})


SERVED: dict[str, Ask] = {
    "a hit": get(path_of("ash")),
    "another form of it": get(path_of("ash"), accept="text/*"),
    **{f"a listing ({era})": partial(post, era=era, method="resources/list") for era in ERAS},
    "liveness": get("/healthz"),
    "readiness": get("/readyz"),
    "metrics": get("/metrics"),
    "OpenAPI": get("/openapi.json"),
    "the dashboard's tree": get("/dashboard/tree"),
}
"""Requests answered from memory."""

SERVED_OR_REFUSED: dict[str, Ask] = {
    "a miss": get(path_of("birch")),
    "a section of a miss": get(f"{path_of('cedar')}?section=a"),
    **{f"a miss ({era})": read(era, "birch") for era in ERAS},
    "a search": get("/mcp/search?q=version"),
    "the tool search": partial(
        post, era="handshake", method="tools/call", name="search", arguments={"query": "version"}
    ),
    "the tool outline": partial(
        post, era="handshake", method="tools/call", name="outline", arguments={"uri": uri_of("elm")}
    ),
    "a new session": initialize,
    "the end of a session": end_new_session,
    "the dashboard": get("/dashboard"),
    "a preview": get(f"/dashboard/preview?uri={uri_of('birch')}"),
    "usage": get("/dashboard/usage"),
}
"""Requests that may need a file."""


def is_refused_well(response: httpx.Response) -> bool:
    return response.status_code == 503 and int(response.headers["retry-after"]) > 0


def is_served_or_refused(response: httpx.Response) -> bool:
    return not response.is_server_error or is_refused_well(response)


def test_a_server_without_a_descriptor_serves_from_memory_and_recovers(
    serve: Serve, figures: Figures
) -> None:
    fault = "EMFILE: no descriptor left, nothing read before but one document"
    # A client of its own for each: a refusal may close the connection, and no other can be made then.
    with serve(CACHE_TTL="3600") as server, ExitStack() as stack:
        clients = {what: stack.enter_context(server.client()) for what in (*SERVED, *SERVED_OR_REFUSED)}
        for client in clients.values():
            client.get("/healthz").raise_for_status()
        first = next(iter(clients.values()))
        assert first.get(path_of("ash")).status_code == 200
        assert shown(first, SHORT) == 0
        (worker,) = server.workers()
        begun_s = time.monotonic()
        with without_descriptors(worker):
            wait_for(lambda: shown(first, SHORT) == 1, "the metric shows it")
            shown_s = time.monotonic() - begun_s
            assert shown(first, "process_open_fds") == shown(first, "process_max_fds") > 0
            served = {what: ask(clients[what]) for what, ask in SERVED.items()}
            others = {what: ask(clients[what]) for what, ask in SERVED_OR_REFUSED.items()}
        answers = served | others
        failed = [what for what, each in served.items() if each.status_code != 200]
        failed += [what for what, each in others.items() if not is_served_or_refused(each)]
        begun_s = time.monotonic()
        for what, ask in SERVED_OR_REFUSED.items():
            wait_for(lambda: not ask(clients[what]).is_server_error, f"{what} works again")  # noqa: B023
        wait_for(lambda: found_by_search(first), "searches find again")
        wait_for(lambda: shown(first, SHORT) == 0, "the metric shows that it is over")
        healed_s = time.monotonic() - begun_s

    assert is_refused_well(answers["a miss"]), answers["a miss"].text
    assert is_refused_well(answers["a search"]), answers["a search"].text
    assert "Traceback" not in server.stderr
    why = str([(what, answers[what].text[:200]) for what in failed])
    figures.hold(
        6, fault, "requests with neither content nor a clear 503", len(failed), "requests", at_most=0, why=why
    )
    figures.hold(6, fault, "until all worked again", healed_s, "s", at_most=5.0)
    figures.hold(16, fault, "until a metric shows it", shown_s, "s", at_most=15.0)


def shown(client: httpx.Client, name: str) -> float:
    return count(metrics(client), name)


def found_by_search(client: httpx.Client) -> bool:
    response = client.get("/mcp/search?q=version")
    return response.status_code == 200 and bool(response.json()["results"])
