import re

from hypothesis import given
from hypothesis import strategies as st

from choirbook.http.sse import KEEP_ALIVE, events

LINE_END = re.compile("\r\n|\r|\n")


def parse(stream: str) -> list[tuple[str, str]]:
    """Interpret a stream as the format's specification tells clients to, as far as it is used."""
    found: list[tuple[str, str]] = []
    kind = ""
    data: list[str] = []
    for line in LINE_END.split(stream)[:-1]:
        if not line:
            if data:
                found.append((kind or "message", "\n".join(data)))
            kind, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
    return found


@given(messages=st.lists(st.text(st.characters(codec="utf-8"))))
def test_a_client_reads_each_message_that_was_framed(messages: list[str]) -> None:
    framed = events(message.encode() for message in messages).decode()
    assert parse(framed) == [("message", LINE_END.sub("\n", message)) for message in messages]


@given(before=st.text(), after=st.text())
def test_what_keeps_a_stream_alive_is_no_message(before: str, after: str) -> None:
    framed = [events([part.encode("utf-8", "replace")]) for part in (before, after)]
    assert parse(KEEP_ALIVE.join(framed).decode()) == parse(b"".join(framed).decode())


def test_json_is_one_line_of_data() -> None:
    assert events([b'{"a":1}']) == b'event: message\ndata: {"a":1}\n\n'
