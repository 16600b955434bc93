"""`choirbook stdio` as bytes on its pipes: what it is sent, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.collector import collecting_http, tree
from tests.support.servers import (
    DEADLINE_S,
    DOCUMENTS,
    ERAS,
    choirbook,
    environment,
    message,
    wait_for,
    write_library,
)

MIB = 1024 * 1024
CORE = "mcp://resources/sdlc/core"


class Talk(NamedTuple):
    """Result of a conversation."""

    answers: list[Any]
    code: int
    stderr: str


def talk(library: Path, lines: Iterable[bytes], variables: Mapping[str, str] | None = None) -> Talk:
    """Start Choirbook, send it everything at once, hang up, and return what it answered by then and after.

    Every line on stdout has to be JSON: it carries the protocol and nothing else.
    """
    done = subprocess.run(
        choirbook("stdio", library),
        cwd=library.parent,
        env=environment(variables),
        input=b"".join(lines),
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stdout == b"" or done.stdout.endswith(b"\n")
    return Talk(
        [json.loads(line) for line in done.stdout.splitlines()], done.returncode, done.stderr.decode()
    )


def line(sent: Any) -> bytes:
    return json.dumps(sent).encode() + b"\n"


def initialize(revision: str) -> bytes:
    about = {"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    return line(message("handshake", "initialize", "init", protocolVersion=revision, **about))


INITIALIZED = line(message("handshake", "notifications/initialized", None))


@pytest.mark.parametrize("era", ERAS)
def test_everything_in_flight_is_answered_after_the_end_of_input(library: Path, era: str) -> None:
    uris = [CORE, "mcp://resources/patterns/go/core", "mcp://resources/files/images/logo.png"] * 30
    sent = [line(message(era, "resources/read", id_, uri=uri)) for id_, uri in enumerate(uris)]

    done = talk(library, sent)

    assert done.code == 0
    assert {answer["id"]: answer["result"]["contents"][0]["uri"] for answer in done.answers} == dict(
        enumerate(uris)
    )


def test_both_eras_can_be_spoken_over_one_pipe(library: Path) -> None:
    sent = [initialize("2025-11-25"), INITIALIZED]
    sent += [line(message(era, "resources/read", era, uri=CORE)) for era in ERAS]

    by_id = {answer["id"]: answer["result"] for answer in talk(library, sent).answers}

    assert by_id["init"]["protocolVersion"] == "2025-11-25"
    assert "resultType" not in by_id["handshake"]
    assert by_id["modern"]["resultType"] == "complete"


def test_nothing_sent_is_nothing_said(library: Path) -> None:
    assert talk(library, []) == Talk([], 0, "")


def test_last_line_needs_no_line_feed(library: Path) -> None:
    assert talk(library, [line(message("handshake", "ping")).rstrip()]).answers == [
        {"jsonrpc": "2.0", "id": 1, "result": {}}
    ]


def test_notifications_and_blank_lines_get_no_answer(library: Path) -> None:
    sent = [
        b"\n",
        b"  \r\n",
        INITIALIZED,
        line(message("modern", "notifications/cancelled", None, requestId=7)),
    ]
    sent += [
        line(message("handshake", "notifications/unheard-of", None)),
        line({"jsonrpc": "2.0", "id": 1, "result": {}}),
    ]

    done = talk(library, [initialize("2025-11-25"), *sent, line(message("handshake", "ping", "last"))])

    assert [answer["id"] for answer in done.answers] == ["init", "last"]
    assert done.code == 0


GARBAGE = {
    "no JSON": (b"hello\n", -32700),
    "half a message": (b'{"jsonrpc":"2.0",\n', -32700),
    "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}\n', -32700),
    "NUL": (b"\0\n", -32700),
    "too deep": (b"[" * 1000 + b"]" * 1000 + b"\n", -32700),
    "no message": (b"{}\n", -32600),
    "null": (b"null\n", -32600),
}


def test_garbage_gets_an_error_each_and_the_next_line_its_answer(library: Path) -> None:
    sent = [garbage for garbage, _ in GARBAGE.values()]

    done = talk(library, [*sent, line(message("handshake", "ping", "last"))])

    errors, last = done.answers[:-1], done.answers[-1]
    assert [error["error"]["code"] for error in errors] == [code for _, code in GARBAGE.values()]
    assert last == {"jsonrpc": "2.0", "id": "last", "result": {}}
    assert done.code == 0


@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB])
def test_long_line_is_refused_and_passed_over(library: Path, size: int) -> None:
    long = line(message("handshake", "ping", "long")).rstrip().ljust(size) + b"\n"

    done = talk(library, [long, line(message("handshake", "ping", "next"))])

    refused, answered = done.answers
    assert (refused["error"]["code"], "id" in refused) == (-32600, False)
    assert answered["id"] == "next"


def test_line_up_to_the_limit_is_read(library: Path) -> None:
    longest = line(message("handshake", "ping", "long")).rstrip().ljust(MIB - 1) + b"\n"

    assert [answer["id"] for answer in talk(library, [longest]).answers] == ["long"]


def test_request_taken_back_is_not_answered(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    (library / "large.txt").write_bytes(os.urandom(3 * MIB).hex().encode())
    uri = "mcp://resources/files/large.txt"
    # Reading, digesting and encoding 6 MiB takes longer than reading the line behind.
    sent = [line(message("modern", "resources/read", "slow", uri=uri))]
    sent += [line(message("modern", "notifications/cancelled", None, requestId="slow"))]
    sent += [line(message("modern", "resources/read", "quick", uri=CORE))]

    done = talk(library, sent)

    assert [answer["id"] for answer in done.answers] == ["quick"]
    assert done.code == 0


def test_request_that_is_unknown_cannot_be_taken_back(library: Path) -> None:
    cancelled = [
        line(message("modern", "notifications/cancelled", None, requestId=id_)) for id_ in (1, "1", -5)
    ]

    done = talk(library, [*cancelled, line(message("handshake", "ping", 1))])

    assert [answer["id"] for answer in done.answers] == [1]


def test_batch_is_answered_where_the_handshake_settled_on_the_revision_that_has_it(library: Path) -> None:
    batch = line([message("handshake", "ping", 1), message("handshake", "resources/read", 2, uri=CORE)])

    _, answers = talk(library, [initialize("2025-03-26"), INITIALIZED, batch]).answers

    assert sorted(answer["id"] for answer in answers) == [1, 2]
    assert answers[1]["result"]["contents"][0]["text"].encode() == DOCUMENTS["sdlc-core.md"]


@pytest.mark.parametrize("before", [[], [initialize("2025-06-18")], [initialize("2025-11-25")]])
def test_batch_is_refused_everywhere_else(library: Path, before: list[bytes]) -> None:
    *_, refused = talk(library, [*before, line([message("handshake", "ping", 1)])]).answers

    assert refused["error"]["code"] == -32600


def test_problems_of_the_library_are_not_said_on_stdout(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    (library / "other").mkdir()
    (library / "other" / "sdlc-core.md").write_text("# Another\n")
    (library / "a;b.txt").write_text("A name that no URI can have.\n")
    (library / "link").symlink_to(tmp_path)

    done = talk(library, [line(message("handshake", "ping", "only"))])

    assert [answer["id"] for answer in done.answers] == ["only"]
    assert done.code == 0


def test_library_that_cannot_be_used_is_said_on_stderr(tmp_path: Path) -> None:
    done = talk(tmp_path / "nothing", [line(message("handshake", "ping"))])

    assert (done.answers, done.code) == ([], 2)
    assert str(tmp_path / "nothing") in done.stderr


def test_reads_are_told_on_stderr(library: Path) -> None:
    sent = [line(message("modern", "resources/read", id_, uri=CORE)) for id_ in range(3)]

    told = [json.loads(said) for said in talk(library, sent).stderr.splitlines()]

    assert [(said["resource_uri"], said["status_code"]) for said in told] == [(CORE, 200)] * 3


def test_settings_of_the_environment_hold(library: Path) -> None:
    (page,) = talk(library, [line(message("modern", "resources/list"))], {"CHOIRBOOK_PAGE_SIZE": "2"}).answers

    assert len(page["result"]["resources"]) == 2
    assert page["result"]["nextCursor"]


def listen(id_: int | str, *uris: str) -> bytes:
    wanted = {"resourceSubscriptions": list(uris)}
    return line(message("modern", "subscriptions/listen", id_, notifications=wanted))


def test_subscription_ends_as_it_should_with_the_input(library: Path) -> None:
    done = talk(library, [listen("sub", CORE), line(message("handshake", "ping", "last"))])

    meta = {"io.modelcontextprotocol/subscriptionId": "sub"}
    by_kind = {said.get("method", said.get("id")): said for said in done.answers}
    assert by_kind["notifications/subscriptions/acknowledged"]["params"]["_meta"] == meta
    assert by_kind["sub"]["result"] == {"resultType": "complete", "_meta": meta}
    assert by_kind["notifications/cancelled"]["params"] == {"requestId": "sub"}
    assert done.answers.index(by_kind["last"]) < done.answers.index(by_kind["sub"])
    assert done.code == 0


def test_subscription_taken_back_gets_no_answer(library: Path) -> None:
    cancelled = line(message("modern", "notifications/cancelled", None, requestId=5))

    with conversation(library) as choirbook_:
        choirbook_.say(listen(5, CORE))
        assert choirbook_.hear()["method"] == "notifications/subscriptions/acknowledged"
        choirbook_.say(cancelled)
        # Its id is free again.
        choirbook_.say(listen(5, CORE))
        assert choirbook_.hear()["method"] == "notifications/subscriptions/acknowledged"


def test_id_of_an_open_subscription_is_refused(library: Path) -> None:
    with conversation(library) as choirbook_:
        choirbook_.say(listen(5, CORE))
        choirbook_.hear()
        for again in (listen(5, CORE), line(message("modern", "resources/read", 5, uri=CORE))):
            choirbook_.say(again)
            assert choirbook_.hear()["error"]["code"] == -32600


def test_malformed_subscription_is_refused(library: Path) -> None:
    too_many = listen(1, *(f"{CORE}{number}" for number in range(10_000)))
    sent = [too_many, line(message("modern", "subscriptions/listen", 2))]

    done = talk(library, sent)

    assert [(answer["id"], answer["error"]["code"]) for answer in done.answers] == [(1, -32602), (2, -32602)]


def test_edits_are_told_over_the_pipe_in_both_eras(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    uri = "mcp://resources/files/notes/scratch.txt"

    with conversation(library) as choirbook_:
        choirbook_.say(initialize("2025-11-25"))
        offered = choirbook_.hear()["result"]["capabilities"]["resources"]
        assert offered == {"subscribe": True, "listChanged": True}
        choirbook_.say(INITIALIZED)
        choirbook_.say(line(message("handshake", "resources/subscribe", 1, uri=uri)))
        assert choirbook_.hear()["result"] == {}
        choirbook_.say(listen(2, uri))
        choirbook_.hear()
        (library / "notes" / "scratch.txt").write_text("Edited.\n")
        told = [choirbook_.hear(), choirbook_.hear()]

    assert {said["method"] for said in told} == {"notifications/resources/updated"}
    assert {said["params"]["uri"] for said in told} == {uri}
    assert sorted("_meta" in said["params"] for said in told) == [False, True]


class Conversation:
    """Requests and their answers, one after the other, over the pipes of a running Choirbook."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    def say(self, sent: bytes) -> None:
        self._stdin.write(sent)
        self._stdin.flush()

    def hear(self) -> Any:
        return json.loads(self._stdout.readline())

    def read(self, uri: str) -> str:
        self.say(line(message("modern", "resources/read", uri=uri)))
        return str(self.hear()["result"]["contents"][0]["text"])


@contextmanager
def conversation(library: Path) -> Iterator[Conversation]:
    with subprocess.Popen(
        choirbook("stdio", library),
        cwd=library.parent,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield Conversation(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE_S) == 0


def test_edit_shows_within_a_second(tmp_path: Path) -> None:
    library = write_library(tmp_path / "library")
    uri = "mcp://resources/files/notes/scratch.txt"

    with conversation(library) as choirbook_:
        assert choirbook_.read(uri) == "To be edited.\n"
        (library / "notes" / "scratch.txt").write_text("Edited.\n")
        wait_for(lambda: choirbook_.read(uri) == "Edited.\n", "the edit shows", deadline_s=1.0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_ends_an_idle_server_without_a_word_of_python(library: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        choirbook("stdio", library),
        cwd=library.parent,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line(message("handshake", "ping")))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"] == {}

        process.send_signal(how)
        code, said = process.wait(DEADLINE_S), process.stderr.read().decode()

    assert said == ""
    assert code in {0, 128 + how, -how}


@pytest.mark.parametrize("era", ERAS)
def test_a_read_is_one_trace_below_the_context_in_its_message(tmp_path: Path, era: str) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    read = message(era, "resources/read", uri=CORE, _meta={"traceparent": f"00-{trace_id}-{span_id}-01"})
    with collecting_http() as collector:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        }
        said = talk(write_library(tmp_path / "library"), [line(read)], variables)
    assert [answer["id"] for answer in said.answers] == [1]
    (spans,) = collector.traces().values()
    stages: dict[str, Any] = {"cache.memory": {}, "queue": {}, "source.read": {}, "render": {}}
    assert tree(spans) == {"resources/read": {"library.read": stages, "send": {}}}
    assert (spans[0].trace_id, spans[0].parent_id) == (trace_id, span_id)
    assert spans[0].attributes["network.transport"] == "pipe"


BOM = b"\xef\xbb\xbf"


def test_byte_order_mark_before_a_message_is_skipped(library: Path) -> None:
    read = message("modern", "resources/read", "ż", uri=CORE)
    sent = [BOM + line(message("handshake", "ping")), BOM + b"\n", BOM + json.dumps(read).encode() + b"\r\n"]
    done = talk(library, [*sent, BOM])
    assert sorted(str(answer["id"]) for answer in done.answers) == ["1", "ż"]
    assert all("result" in answer for answer in done.answers)
    assert (done.code, done.stderr.count('"event":"read"')) == (0, 1)


@contextmanager
def unread(library: Path, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Choirbook with a stdout whose other end the test has."""
    with subprocess.Popen(
        choirbook("stdio", library),
        cwd=library.parent,
        env=environment({"CHOIRBOOK_LOG_FORMAT": "json"}),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(stdout)
        try:
            yield process
        finally:
            process.kill()


def pipe() -> tuple[int, int]:
    return os.pipe()


def sockets() -> tuple[int, int]:
    """Make what Node gives a server that it starts."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@pytest.mark.parametrize("make", [pipe, sockets])
@pytest.mark.parametrize("goes_on", [True, False], ids=["while it asks on", "while it is silent"])
def test_client_that_closes_stdout_ends_the_server(
    library: Path,
    make: Callable[[], tuple[int, int]],
    goes_on: bool,  # noqa: FBT001
) -> None:
    ping = line(message("handshake", "ping"))
    ours, theirs = make()
    with unread(library, theirs) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(ping)
        process.stdin.flush()
        assert os.read(ours, 4096)
        os.close(ours)
        if goes_on:
            with suppress(BrokenPipeError):
                # By its number: what could not be written would be tried again at the end.
                os.write(process.stdin.fileno(), ping * 20)
        # Its stdin stays open.
        assert process.wait(DEADLINE_S) == 0
        said = process.stderr.read().decode().splitlines()
    assert [json.loads(each)["message"] for each in said] == ["stopping: the client has closed stdout"]


def leaves_interrupts_to_the_system(process: subprocess.Popen[bytes]) -> bool:
    """Return whether Choirbook has started: Python itself starts with a handler, for any program."""
    lines = Path(f"/proc/{process.pid}/status").read_text("utf-8").splitlines()
    caught = next(int(each.split()[1], 16) for each in lines if each.startswith("SigCgt:"))
    is_python = b"stdio" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    # Python ignores SIGPIPE (13) before it sets its handler, so without that it has not come so far.
    has_begun = next(int(each.split()[1], 16) for each in lines if each.startswith("SigIgn:")) >> 12 & 1
    return is_python and bool(has_begun) and not caught >> (signal.SIGINT - 1) & 1


def interrupted(library: Path, moment_s: float) -> tuple[bytes, bytes]:
    """Return stdout and stderr of a Choirbook that was interrupted some time after its start."""
    with subprocess.Popen(
        choirbook("stdio", library),
        cwd=library.parent,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        wait_for(lambda: leaves_interrupts_to_the_system(process), "Choirbook has begun")
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment_s)
        os.killpg(process.pid, signal.SIGINT)
        return process.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize("moment_s", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
def test_interrupt_at_any_moment_of_the_start_is_quiet(library: Path, moment_s: float) -> None:
    for _ in range(10):
        out, said = interrupted(library, moment_s)
        # Between ignoring SIGPIPE and setting its handler Python looks as if Choirbook had begun. A busy
        # machine may stop it there; then the interrupt ends Python before Choirbook's first module.
        if b"KeyboardInterrupt" not in said or b"src/choirbook" in said:
            break
    assert (out, said) == (b"", b"")
