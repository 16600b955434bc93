import pytest

from choirbook.text.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_hosts_of_this_machine_only(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "::",
        "10.0.0.1",
        "128.0.0.1",
        "example.org",
        "localhost.example.org",
        "127.1",
        "[::1]",
    ],
)
def test_hosts_that_others_may_reach(host: str) -> None:
    assert not is_loopback(host)
