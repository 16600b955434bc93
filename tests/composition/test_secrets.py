from pathlib import Path

import pytest

from choirbook.composition.secrets import redis_secrets, with_redis_secrets
from choirbook.errors import InvalidSettings
from choirbook.settings import Settings

NEW, OLD = "0123456789abcdef" * 2, "fedcba9876543210" * 2
FAR = "redis://redis.example"


def of_file(path: Path, content: bytes) -> Settings:
    path.write_bytes(content)
    return Settings(redis_url=FAR, redis_secret_file=path)


@pytest.mark.parametrize(
    ("content", "secrets"),
    [
        (NEW, (NEW,)),
        (f"{NEW}\n", (NEW,)),
        (f"{NEW}\n{OLD}\n", (NEW, OLD)),
        (f"\n {NEW}\r\n{OLD}", (NEW, OLD)),
    ],
)
def test_file_has_the_secret_and_the_one_that_it_replaces(
    tmp_path: Path, content: str, secrets: tuple[str, ...]
) -> None:
    settings = of_file(tmp_path / "secret", content.encode())
    assert redis_secrets(settings) == secrets
    held = with_redis_secrets(settings)
    assert (held.redis_secret, held.redis_previous_secret) == (*secrets, "")[:2]
    assert redis_secrets(held) == secrets
    assert held.redis_secret_file is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short",
        b"a" * 64,
        f"{NEW}\n{OLD}\n{NEW}".encode(),
        f"{NEW}\nshort".encode(),
        b"\xff" * 64,
        b"x" * 5000,
    ],
)
def test_file_that_holds_no_secret_is_named_and_not_shown(tmp_path: Path, content: bytes) -> None:
    settings = of_file(tmp_path / "secret", content)
    with pytest.raises(InvalidSettings, match=str(tmp_path / "secret")) as error:
        redis_secrets(settings)
    assert NEW not in error.value.message


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = Settings(redis_url=FAR, redis_secret_file=tmp_path / "none")
    with pytest.raises(InvalidSettings, match="none cannot be read: No such file"):
        with_redis_secrets(settings)


def test_settings_without_redis_have_no_secrets() -> None:
    assert redis_secrets(Settings()) == ()
    assert with_redis_secrets(Settings()) == Settings()
