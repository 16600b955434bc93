import pytest

from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.exchange import Answer, Request, Response
from choirbook.http.router import Router, Subtree, get_only
from choirbook.servers.asgi.server import AsgiHeaders
from tests.support.apps import Served


def route(path: str, method: str = "GET", **headers: str) -> Response:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    router = Router(
        AllowedHosts(("localhost",), ()),
        {"/whole": get_only(lambda _: Response(200, [("content-type", "text/plain")], b"whole"))},
        Subtree("/tree/", lambda request: Response(200, [], request.path.encode())),
    )
    answer = router.respond(Request(method, path, "", AsgiHeaders([(b"host", b"localhost"), *raw])))
    assert isinstance(answer, Response)
    return answer


def test_a_whole_path_has_its_handler() -> None:
    assert route("/whole").body == b"whole"


@pytest.mark.parametrize("path", ["/tree/", "/tree/a", "/tree/a/b"])
def test_a_subtree_has_one_handler(path: str) -> None:
    assert route(path).body == path.encode()


@pytest.mark.parametrize("path", ["/", "", "/whole/", "/whole/a", "/tree", "/WHOLE", "*"])
def test_where_nothing_is_the_routes_are_named(path: str) -> None:
    response = route(path)
    assert response.status == 404
    assert b"/whole" in response.body


def test_a_stranger_is_refused_before_any_route() -> None:
    assert route("/whole", origin="https://evil.example").status == 403
    assert route("/nothing", origin="https://evil.example").status == 403


def test_head_has_the_length_and_not_the_body() -> None:
    response = route("/whole", "HEAD")
    assert (response.status, response.body) == (200, b"")
    assert dict(response.headers) == {"content-type": "text/plain", "content-length": "5"}


@pytest.mark.parametrize("method", ["POST", "PUT", "X" * 100])
def test_another_method_is_told_which_there_are(method: str) -> None:
    response = route("/whole", method)
    assert response.status == 405
    assert dict(response.headers)["allow"] == "GET, HEAD"


async def test_an_answer_that_is_not_ready_is_handed_on() -> None:
    async def later() -> Response:
        return Response(200, [])

    def handler(_: Request) -> Answer:
        return later()

    for method in ("GET", "HEAD"):
        answer = get_only(handler)(Request(method, "/", "", AsgiHeaders([])))
        assert not isinstance(answer, Response)
        assert (await answer).status == 200


@pytest.mark.parametrize(
    "path", ["/mcp/resource", "/mcp//", "/favicon.ico", "/metrics/", "/%2e%2e/etc/passwd"]
)
async def test_the_app_has_nothing_elsewhere(served: Served, path: str) -> None:
    response = await served.get(path)
    assert response.status_code == 404
    assert response.json()["title"] == "Route not found"
