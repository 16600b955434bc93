"""Secret that signs values written to Redis, from the settings or from a file."""

from __future__ import annotations

import msgspec

from choirbook.errors import InvalidSettings
from choirbook.settings import Settings, check_redis_secret

_MAX_FILE_BYTES = 4096


def redis_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secret that signs, then the one that is also accepted; empty if none is set.

    Raises:
        InvalidSettings: The file cannot be read, or holds no secret.
    """
    path = settings.redis_secret_file
    if path is None:
        return tuple(filter(None, (settings.redis_secret, settings.redis_previous_secret)))
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE_BYTES + 1).decode("ascii", "replace")
    except OSError as error:
        raise InvalidSettings(f"The Redis secret file {path} cannot be read: {error.strerror}.") from error
    lines = text.split()
    if len(text) > _MAX_FILE_BYTES or not 1 <= len(lines) <= _MAX_SECRETS:
        raise InvalidSettings(
            f"The Redis secret file {path} must have one line, the secret, or two lines: the secret, then "
            "the one that it replaces."
        )
    for line in lines:
        check_redis_secret(line, f"The secret in {path}")
    return tuple(lines)


_MAX_SECRETS = 2


def with_redis_secrets(settings: Settings) -> Settings:
    """Return settings with the secrets themselves, if they named a file.

    Raises:
        InvalidSettings: See `redis_secrets`.
    """
    if settings.redis_secret_file is None or not settings.redis_url:
        return settings
    secret, previous = (*redis_secrets(settings), "")[:2]
    return msgspec.structs.replace(
        settings, redis_secret=secret, redis_previous_secret=previous, redis_secret_file=None
    )
