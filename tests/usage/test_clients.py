from hypothesis import given
from hypothesis import strategies as st

from choirbook.usage.clients import MAX_CHARACTERS, UNKNOWN, Client, named, of_user_agent, printable


def test_a_user_agent_is_its_first_product() -> None:
    assert of_user_agent("claude-code/2.1.3 (cli) node/24") == Client("claude-code", "2.1.3")
    assert of_user_agent("  curl/8.0") == Client("curl", "8.0")
    assert of_user_agent("python-httpx") == Client("python-httpx")


def test_what_is_no_product_is_unknown() -> None:
    assert of_user_agent("") == UNKNOWN
    assert of_user_agent("(comment only)") == UNKNOWN
    assert of_user_agent("\x1b[31m") == UNKNOWN
    assert named("", "1.0") == UNKNOWN
    assert named(" \n ", "1.0") == UNKNOWN


def test_a_hostile_name_is_spelled_out_and_cut() -> None:
    assert named("a\x1b[31mb", "1\u202e2") == Client("a\\x1b[31mb", "1\\u202e2")
    assert named("two\nlines", "") == Client("two lines")
    long = named("x" * 10_000, "9" * 10_000)
    assert (len(long.name), len(long.version)) == (MAX_CHARACTERS, MAX_CHARACTERS)


@given(st.text(), st.integers(1, 80))
def test_whatever_is_sent_is_one_short_line_that_prints(text: str, most: int) -> None:
    shown = printable(text, most)
    assert len(shown) <= most
    assert shown.isprintable()


@given(st.text())
def test_every_user_agent_makes_a_client(text: str) -> None:
    client = of_user_agent(text)
    assert client.name
    assert client.name.isascii()
