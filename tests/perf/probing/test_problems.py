"""The probe names what is wrong with a server, and does not ask it ten thousand times."""

from __future__ import annotations

import pytest

from choirbook_perf.access import Access
from choirbook_perf.errors import BadInput, EmptyLibrary, ServerUnreachable
from choirbook_perf.planner import make_plan
from tests.perf.scripted_server import Answer, Asked, error, hello, scripted

ERAS = ("auto", "modern", "handshake")
TOKEN = "s3cr3t-t0k3n"  # noqa: S105 - not one that opens anything


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Answer(401, b"", {"WWW-Authenticate": 'Bearer realm="x"'}),
            "requires authorization with scheme Bearer",
        ),
        (Answer(403, b"no"), "requires authorization"),
        (Answer(500, b"oops"), "responds 500 Internal Server Error"),
        (Answer(503, b"busy"), "responds 503 Service Unavailable"),
        (Answer(404, b"what"), "has no such path"),
        (Answer(405, b"what"), "has no such path"),
        (
            Answer(200, b"<p>Hi", {"Content-Type": "text/html"}),
            "is not an MCP server: it responds 200 OK, text/html",
        ),
        (Answer(200, b'{"hello": 1}', {"Content-Type": "application/json"}), "is not an MCP server"),
        (Answer(429, b"slow down"), "responds 429 Too Many Requests"),
    ],
)
def test_the_problem_of_an_mcp_server_is_named(era: str, answer: Answer, told: str) -> None:
    with scripted(lambda _: answer) as server, pytest.raises(ServerUnreachable, match=told):
        make_plan(f"{server.url}/mcp", "mcp", era)
    assert len(server.asked) <= 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(401, b""), "requires authorization"),
        (Answer(500, b""), "responds 500"),
        (Answer(404, b""), "is not a list of resources"),
    ],
)
def test_the_problem_of_an_http_server_is_named(answer: Answer, told: str) -> None:
    with scripted(lambda _: answer) as server, pytest.raises(ServerUnreachable, match=told):
        make_plan(server.url, "http", "auto")


def _listing_forever(cursor: str, *, is_stuck: bool) -> Answer:
    """Return one more page: of a cursor that stays, or of one that counts up while the rows stay."""
    following = "same" if is_stuck else f"{cursor}x"
    return Answer(body={"resources": [{"uri": "a://b", "name": "b"}], "nextCursor": following})


@pytest.mark.parametrize("is_stuck", [True, False])
def test_a_cursor_that_does_not_advance_is_named_at_once(is_stuck: bool) -> None:  # noqa: FBT001 - a parameter
    def script(asked: Asked) -> Answer:
        if asked.rpc == "initialize":
            return Answer(body=hello(resources={}))
        if asked.rpc == "resources/list":
            cursor = asked.message["params"].get("cursor", "first")
            return _listing_forever(cursor, is_stuck=is_stuck)
        return error(-32601, "no")

    with scripted(script) as server, pytest.raises(ServerUnreachable, match="does not advance"):
        make_plan(f"{server.url}/mcp", "mcp", "auto")
    assert sum(asked.rpc == "resources/list" for asked in server.asked) <= 3


def test_a_cursor_of_plain_http_that_does_not_advance_is_named_at_once() -> None:
    def script(asked: Asked) -> Answer:
        page = b'{"resources": [{"uri": "a", "href": "/a"}], "nextCursor": "again"}'
        return Answer(body=page) if asked.path.partition("?")[0] == "/mcp/resources" else Answer(404)

    with scripted(script) as server, pytest.raises(ServerUnreachable, match="'again' does not advance"):
        make_plan(server.url, "http", "auto")
    assert len(server.asked) < 10


def _redirecting(status: int, place: str) -> Answer:
    return Answer(status, b"", {"Location": place})


def _one_resource(asked: Asked) -> Answer:
    results = {
        "initialize": hello(resources={}),
        "resources/list": {"resources": [{"uri": "a://b", "name": "b"}]},
        "resources/read": {"contents": [{"uri": "a://b", "text": "x"}]},
    }
    if asked.rpc == "resources/read" and asked.message["params"]["uri"] != "a://b":
        return error(-32602, "unknown")
    return Answer(body=results[asked.rpc]) if asked.rpc in results else error(-32601, "no")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_and_the_load_goes_where_it_leads(status: int) -> None:
    def script(asked: Asked) -> Answer:
        return _redirecting(status, "/real/mcp") if asked.path == "/mcp" else _one_resource(asked)

    with scripted(script) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto")
    assert plan.url == f"{server.url}/real/mcp"
    assert {operation.request.url for operation in plan.operations()} == {plan.url}
    assert plan.handshake is not None
    assert plan.handshake.initialize.url == plan.url


def test_redirects_without_an_end_are_named() -> None:
    with (
        scripted(lambda _: _redirecting(307, "/mcp")) as server,
        pytest.raises(ServerUnreachable, match="redirects more than 5 times"),
    ):
        make_plan(f"{server.url}/mcp", "mcp", "auto")


def test_a_secret_is_not_carried_to_another_server() -> None:
    with (
        scripted(_one_resource) as other,
        scripted(lambda _: _redirecting(307, f"{other.url}/mcp")) as first,
        pytest.raises(ServerUnreachable, match="another server") as refusal,
    ):
        make_plan(f"{first.url}/mcp", "mcp", "auto", access=Access((("Authorization", TOKEN),)))
    assert TOKEN not in refusal.value.message
    assert first.asked[0].headers["authorization"] == TOKEN
    assert not other.asked


def test_a_path_of_plain_http_that_redirects_is_loaded_where_it_leads() -> None:
    from choirbook_perf.scenario import parse

    def script(asked: Asked) -> Answer:
        return _redirecting(301, "/page/") if asked.path == "/page" else Answer(body=b"text")

    asked = parse('name = "p"\n[[task]]\nname = "p"\nresources = ["/page"]\n', "p.toml")
    with scripted(script) as server:
        plan = make_plan(server.url, "http", "auto", asked)
    assert [operation.request.url for operation in plan.operations()] == [f"{server.url}/page/"]


@pytest.mark.parametrize(("era", "is_found"), [("auto", True), ("handshake", True), ("modern", False)])
def test_a_server_that_answers_the_question_for_eras_is_taken_at_its_word(
    era: str, *, is_found: bool
) -> None:
    def script(asked: Asked) -> Answer:
        if asked.rpc == "server/discover":
            return Answer(body={"supportedVersions": ["2025-06-18", "2025-11-25"], "capabilities": {}})
        if "mcp-method" in asked.headers:
            return error(-32022, "no", 400, {"supported": ["2025-11-25"], "requested": "2026-07-28"})
        return _one_resource(asked)

    with scripted(script) as server:
        if is_found:
            assert make_plan(f"{server.url}/mcp", "mcp", era).era == "handshake"
        else:
            with pytest.raises(
                ServerUnreachable, match=r"supports 2025-06-18, 2025-11-25\. Use --era handshake"
            ):
                make_plan(f"{server.url}/mcp", "mcp", era)


def test_the_data_of_an_error_names_the_revisions_too() -> None:
    def script(asked: Asked) -> Answer:
        if asked.rpc == "server/discover":
            return error(-32022, "no", 400, {"supported": ["2025-06-18"], "requested": "2026-07-28"})
        return _one_resource(asked)

    with scripted(script) as server:
        assert make_plan(f"{server.url}/mcp", "mcp", "auto").era == "handshake"
    (initialize,) = [asked for asked in server.asked if asked.rpc == "initialize"]
    assert initialize.message["params"]["protocolVersion"] == "2025-06-18"


def test_revisions_that_nobody_here_knows_are_named() -> None:
    script = Answer(body={"supportedVersions": ["2031-01-01"], "capabilities": {}})
    with scripted(lambda _: script) as server, pytest.raises(ServerUnreachable, match="2031-01-01"):
        make_plan(f"{server.url}/mcp", "mcp", "auto")


def test_an_endpoint_at_the_root_is_found_when_no_path_is_given() -> None:
    def script(asked: Asked) -> Answer:
        return _one_resource(asked) if asked.path == "/" else Answer(404, b"no")

    with scripted(script) as server:
        assert make_plan(server.url, "mcp", "auto").url == f"{server.url}/"


def test_a_server_with_nothing_to_ask_for_is_an_empty_library() -> None:
    def script(asked: Asked) -> Answer:
        return Answer(body=hello()) if asked.rpc == "initialize" else error(-32601, "no")

    with scripted(script) as server, pytest.raises(EmptyLibrary, match="Add documents"):
        make_plan(f"{server.url}/mcp", "mcp", "auto")


def test_a_tool_that_may_change_something_is_not_called_unasked() -> None:
    def script(asked: Asked) -> Answer:
        safe = {"name": "safe", "annotations": {"readOnlyHint": True}, "inputSchema": {"type": "object"}}
        needy = {**safe, "name": "needy", "inputSchema": {"type": "object", "required": ["x"]}}
        results = {
            "initialize": hello(tools={}),
            "tools/list": {"tools": [{"name": "delete-all", "inputSchema": {}}, safe, needy]},
            "tools/call": {"content": [{"type": "text", "text": "done"}]},
        }
        return Answer(body=results[asked.rpc]) if asked.rpc in results else error(-32601, "no")

    with scripted(script) as server:
        plan = make_plan(f"{server.url}/mcp", "mcp", "auto")
    assert [task.name for task in plan.tasks] == ["tools/list", "safe"]
    called = {asked.message["params"]["name"] for asked in server.asked if asked.rpc == "tools/call"}
    assert called == {"safe"}


def test_a_session_of_the_probe_is_ended() -> None:
    def script(asked: Asked) -> Answer:
        answer = _one_resource(asked) if asked.message else Answer(204)
        return answer._replace(headers={"Mcp-Session-Id": "s-1"}) if asked.rpc == "initialize" else answer

    with scripted(script) as server:
        make_plan(f"{server.url}/mcp", "mcp", "handshake")
    assert server.asked[-1].method == "DELETE"
    assert server.asked[-1].headers["mcp-session-id"] == "s-1"


def test_a_session_that_nobody_asked_for_is_ended_too() -> None:
    def script(asked: Asked) -> Answer:
        if not asked.message:
            return Answer(204)
        answer = (
            error(-32600, "first initialize", 400) if asked.rpc == "server/discover" else _one_resource(asked)
        )
        opening = {"server/discover": "s-1", "initialize": "s-2"}
        given = {"Mcp-Session-Id": opening[asked.rpc]} if asked.rpc in opening else {}
        return answer._replace(headers={**answer.headers, **given})

    with scripted(script) as server:
        make_plan(f"{server.url}/mcp", "mcp", "auto")
    ended = [asked.headers["mcp-session-id"] for asked in server.asked if asked.method == "DELETE"]
    assert ended == ["s-1", "s-2"]


def test_a_server_that_breaks_off_while_it_is_probed_loses_no_session_silently() -> None:
    def script(asked: Asked) -> Answer:
        if asked.rpc == "initialize":
            return Answer(body=hello(resources={}), headers={"Mcp-Session-Id": "s-1"})
        return Answer(500, b"oops") if asked.message else Answer(204)

    with scripted(script) as server, pytest.raises(ServerUnreachable, match="responds 500"):
        make_plan(f"{server.url}/mcp", "mcp", "handshake")
    assert server.asked[-1].method == "DELETE"


def test_content_that_differs_between_two_reads_is_not_compared() -> None:
    def script(asked: Asked) -> Answer:
        if asked.rpc == "resources/read" and asked.message["params"]["uri"] == "a://b":
            return Answer(body={"contents": [{"uri": "a://b", "text": str(next(numbers))}]})
        return _one_resource(asked)

    numbers = iter(range(1000))
    with scripted(script) as server:
        (operation,) = make_plan(f"{server.url}/mcp", "mcp", "auto").operations()
    assert operation.expected is None


def test_plain_http_is_read_below_the_path_of_its_url() -> None:
    from choirbook_perf.scenario import parse

    def script(asked: Asked) -> Answer:
        return Answer(body=b"text") if asked.path == "/team/a/page" else Answer(404)

    asked = parse('name = "p"\n[[task]]\nname = "p"\nresources = ["/page"]\n', "p.toml")
    with scripted(script) as server:
        (operation,) = make_plan(f"{server.url}/team/a/", "http", "auto", asked).operations()
        assert operation.request.url == f"{server.url}/team/a/page"
        with pytest.raises(BadInput, match="status 404"):
            make_plan(server.url, "http", "auto", asked)
