from msgspec.structs import replace

from choirbook.model import Form
from choirbook.redis.keys import RedisKeys
from tests.redis.test_store import INFO

KEYS = RedisKeys("team", (1000, "1.0"))


def key(**changes: object) -> str:
    return KEYS.resource(replace(INFO, **changes), Form.RAW, "4.1.1", 0)


def test_hosts_spell_a_key_alike_though_their_versions_differ() -> None:
    assert key() == RedisKeys("team", (1000, "1.0")).resource(
        replace(INFO, version="7.4.1.1"), Form.RAW, "4.1.1", 0
    )


def test_all_that_goes_into_the_bytes_goes_into_the_key() -> None:
    spelled = {
        key(),
        key(uri="mcp://resources/patterns/core"),
        key(title="Other"),
        key(description="Other"),
        key(media_type="text/plain"),
        key(type="other"),
        key(size=5),
        key(modified_ns=2),
        KEYS.resource(INFO, Form.JSON, "4.1.1", 0),
        KEYS.resource(INFO, Form.RAW, "4.1.2", 0),
        KEYS.resource(INFO, Form.RAW, "4.1.1", 1),
        RedisKeys("team", (2000, "1.0")).resource(INFO, Form.RAW, "4.1.1", 0),
        RedisKeys("team", (1000, "1.1")).resource(INFO, Form.RAW, "4.1.1", 0),
        RedisKeys("other", (1000, "1.0")).resource(INFO, Form.RAW, "4.1.1", 0),
    }
    assert len(spelled) == 14


def test_a_colon_in_a_name_makes_no_other_key() -> None:
    assert key(name="a:b", type="c").count(":") == key().count(":")
    assert RedisKeys("a:b", 0).feed != RedisKeys("a", 0).feed.replace("choirbook:a", "choirbook:a:b")


def test_a_lease_has_a_key_of_its_own() -> None:
    assert KEYS.lease(key()).startswith("choirbook:team:lease:")
    assert KEYS.lease(key()) != KEYS.lease(key(title="Other"))
