from hypothesis import given
from hypothesis import strategies as st

from choirbook.text.escapes import escaped


def test_what_prints_stays_as_it_is() -> None:
    assert escaped("Zażółć gęślą jaźń ✓") == "Zażółć gęślą jaźń ✓"


def test_what_moves_a_cursor_or_turns_writing_is_spelled_out() -> None:
    assert escaped("a\x1b[2J\nb\u202ec\udce9") == "a\\x1b[2J\\nb\\u202ec\\udce9"


@given(st.text())
def test_anything_prints_afterwards(text: str) -> None:
    assert escaped(text).isprintable()
