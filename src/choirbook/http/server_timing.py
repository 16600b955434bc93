"""Time per stage for clients, in the header Server-Timing (https://www.w3.org/TR/server-timing).

Wraps the router if it is enabled; otherwise it adds nothing.
"""

from __future__ import annotations

from functools import partial
from time import monotonic

import msgspec

from choirbook.http.deferred import then
from choirbook.http.exchange import Answer, FailedRead, Handler, Read, Request, Response, Streaming
from choirbook.model import Header, Reading, ServedFrom, StageName

_METRICS = {
    StageName.CACHE_MEMORY: "cache",
    StageName.CACHE_SHARED: "cache",
    StageName.QUEUE: "wait",
    StageName.SETTLE: "wait",
    StageName.OUTLINE: "outline",
    StageName.SOURCE_READ: "source",
    StageName.RENDER: "render",
}


def timed(respond: Handler) -> Handler:
    """Add the Server-Timing header to every answer except streams, which have no end.

    Args:
        respond: Answers requests.
    """

    def respond_timed(request: Request) -> Answer:
        start_s = monotonic()
        answer = respond(request)
        # A cached read is answered at once, without the cost of `then`.
        if isinstance(answer, Response):
            return _with_header(answer, start_s)
        return then(answer, partial(_with_header_unless_streaming, start_s))

    return respond_timed


def _with_header_unless_streaming(start_s: float, response: Response | Streaming) -> Response | Streaming:
    return response if isinstance(response, Streaming) else _with_header(response, start_s)


def _with_header(response: Response, start_s: float) -> Response:
    header = server_timing(response.reads, start_s, monotonic())
    # The list of headers may be shared by every hit.
    return msgspec.structs.replace(response, headers=[*response.headers, header])


def server_timing(reads: tuple[Read, ...], start_s: float, end_s: float) -> Header:
    """Return the header of an answer: the stages of its reads and the total, in milliseconds.

    Args:
        reads: Reads made for it.
        start_s: Monotonic time at which the request had arrived.
        end_s: Monotonic time at which the answer was ready.
    """
    metrics = []
    if len(reads) == 1 and not isinstance(reads[0], FailedRead):
        served_from = reads[0].served_from if isinstance(reads[0], Reading) else ServedFrom.HIT
        taken_s = _taken_s(reads, start_s, end_s)
        metrics.append(_metric("cache", taken_s.pop("cache", None), served_from.value))
        metrics += [_metric(name, duration_s) for name, duration_s in taken_s.items()]
    else:
        metrics += [_metric(name, duration_s) for name, duration_s in _taken_s(reads, start_s, end_s).items()]
    return ("server-timing", ", ".join([*metrics, _metric("total", end_s - start_s)]))


def _taken_s(reads: tuple[Read, ...], start_s: float, end_s: float) -> dict[str, float]:
    taken_s: dict[str, float] = {}
    for read in reads:
        for stage in read.stages if isinstance(read, Reading) else ():
            # Of a load that others had begun, only the rest belongs to this request.
            began_s = max(stage.start_s, start_s)
            ended_s = min(stage.start_s + stage.duration_s, end_s)
            name = _METRICS[StageName(stage.name)]
            taken_s[name] = taken_s.get(name, 0.0) + max(0.0, ended_s - began_s)
    return taken_s


def _metric(name: str, duration_s: float | None, description: str = "") -> str:
    described = f'{name};desc="{description}"' if description else name
    return described if duration_s is None else f"{described};dur={duration_s * 1000:.3f}"
