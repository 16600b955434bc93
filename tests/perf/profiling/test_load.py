import pytest

from choirbook_perf.profiling.load import is_choirbook


@pytest.mark.parametrize(
    ("server", "is_one"),
    [
        ("choirbook 0.1.0", True),
        ("Choirbook 0.1.0", True),
        ("choirbook", True),
        ("choirbook-like 1.0", False),
        ("shelf 7", False),
        ("my choirbook", False),
        ("", False),
    ],
)
def test_a_choirbook_is_known_by_its_name(server: str, *, is_one: bool) -> None:
    assert is_choirbook(server) is is_one
