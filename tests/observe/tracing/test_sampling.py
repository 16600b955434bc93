"""Which look-up a trace takes for that of its request."""

from __future__ import annotations

import pytest

from choirbook.cache.lookup_durations import LookupDurations
from choirbook.http.exchange import Request, Response
from choirbook.model import Reading, Representation, ResourceInfo, ServedFrom, Version
from choirbook.observe.tracing.configuration import Sampling
from choirbook.observe.tracing.sampling import TraceNote, TraceSampler

URI = "mcp://resources/sdlc/core"
INFO = ResourceInfo(URI, URI, "sdlc-core.md", "core", "Core", "", "sdlc", "text/markdown", 9, 0, Version("1"))
HIT = Reading(INFO, Representation(b"# Core\n", '"e"', [], "d", []), ServedFrom.HIT)


class Fields(dict[str, str]):
    """Headers."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


@pytest.mark.parametrize(("made", "told_s"), [([], None), ([0.25], 0.25), ([0.25, 0.125], None)])
def test_only_the_look_up_that_the_request_itself_made_is_told(
    made: list[float], told_s: float | None
) -> None:
    lookups = LookupDurations()
    lookups.note_hit(0.5)

    def respond(_: Request) -> Response:
        for duration_s in made:
            lookups.note_hit(duration_s)
        return Response(200, [], b"", (HIT,))

    marked = TraceSampler(Sampling(), 1.0, lookups, reads_context=False).before(respond)
    response = marked(Request("GET", "/mcp/resources/sdlc/core", "", Fields()))
    assert isinstance(response, Response)
    assert isinstance(response.mark, TraceNote)
    assert response.mark.lookup_s == told_s
