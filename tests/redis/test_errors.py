import pytest

from choirbook.redis.errors import Reason, RedisCallError


@pytest.mark.parametrize("reason", list(Reason))
def test_an_error_tells_its_reason_and_nothing_else(reason: Reason) -> None:
    error = RedisCallError(reason)
    assert error.reason is reason
    assert str(error) == reason.value
