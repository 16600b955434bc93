import os
from pathlib import Path
from typing import Any

import pytest

from choirbook.errors import InvalidSettings
from choirbook.settings import MIB, STARTER_LIBRARY, Settings, load


def loaded(flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> Settings:
    return load(flags, environment=environment or {})


def test_without_anything_said_the_starter_library_is_served_on_loopback() -> None:
    settings = loaded()
    assert settings == Settings()
    assert (settings.root, settings.host, settings.port) == (STARTER_LIBRARY, "127.0.0.1", 8000)
    assert (settings.cache_ttl_s, settings.cache_max_resources) == (300, 1000)


def test_flags_overrule_the_environment_which_overrules_its_file_which_overrules_the_settings_file(
    tmp_path: Path,
) -> None:
    config = tmp_path / "choirbook-settings.toml"
    config.write_text('port = 1\nworkers = 2\npage_size = 3\nrescan_s = 4\nroot = "/srv/library"\n')
    env_file = tmp_path / "settings.env"
    env_file.write_text("CHOIRBOOK_WORKERS=20\nCHOIRBOOK_PAGE_SIZE=30\nCHOIRBOOK_RESCAN_S=40\nOTHER=1\n")
    environment = {"CHOIRBOOK_PAGE_SIZE": "300", "CHOIRBOOK_RESCAN_S": "400"}
    flags = {"rescan_s": 4000.0, "port": None}
    settings = load(flags, config=config, env_file=env_file, environment=environment)
    assert (settings.port, settings.workers, settings.page_size, settings.rescan_s) == (1, 20, 300, 4000)
    assert settings.root == Path("/srv/library")


def test_the_environment_of_the_process_is_read_and_no_file_of_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHOIRBOOK_PORT", "4321")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CHOIRBOOK_WORKERS=3\n")
    settings = load()
    assert (settings.port, settings.workers) == (4321, 1)
    assert "CHOIRBOOK_WORKERS" not in os.environ


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("CACHE_TTL", "60", "cache_ttl_s", 60.0),
        ("CHOIRBOOK_CACHE_TTL_S", "61.5", "cache_ttl_s", 61.5),
        ("CACHE_MAX_SIZE", "7", "cache_max_resources", 7),
        ("CHOIRBOOK_ACCESS_LOG", "false", "access_log", False),
        ("CHOIRBOOK_WATCH", "0", "watch", False),
        ("CHOIRBOOK_TOOLS", "off", "tools", False),
        ("CHOIRBOOK_TOOLS", "On", "tools", True),
        ("CHOIRBOOK_DASHBOARD", "on", "dashboard", True),
        ("CHOIRBOOK_DASHBOARD", "false", "dashboard", False),
        ("CHOIRBOOK_ALLOWED_HOSTS", "a.example, b.example,", "allowed_hosts", ("a.example", "b.example")),
        ("CHOIRBOOK_ALLOWED_ORIGINS", "", "allowed_origins", ()),
        ("CHOIRBOOK_ROOT", "/srv/library", "root", Path("/srv/library")),
        ("CHOIRBOOK_HOST", "::1", "host", "::1"),
    ],
)
def test_a_variable_sets_a_field(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(loaded(environment={variable: text}), field) == value


OUT_OF_RANGE: dict[str, list[float]] = {
    "port": [-1, 65536],
    "workers": [0, 257],
    "cache_ttl_s": [0, -1, float("nan")],
    "cache_grace_s": [-1, float("nan"), float("inf")],
    "cache_max_resources": [0],
    "cache_max_bytes": [MIB - 1],
    "client_ttl_s": [-1, float("nan"), float("inf")],
    "max_body_bytes": [1023],
    "body_timeout_s": [0],
    "max_batch_bytes": [0],
    "max_document_bytes": [0],
    "page_size": [0, 10001],
    "rescan_s": [0, float("nan")],
    "max_waiting_reads": [0],
    "max_streams": [-1, 100_001],
    "keep_alive_s": [0, float("inf")],
    "stall_s": [0, float("inf")],
    "max_sessions": [-1, 1_000_001],
    "peer_share": [0, -0.1, 1.1, float("nan")],
    "session_idle_s": [0, float("inf")],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in OUT_OF_RANGE.items() for value in values]
)
def test_a_value_out_of_its_range_stops_the_start(field: str, value: float) -> None:
    with pytest.raises(InvalidSettings, match=field):
        loaded({field: value})


@pytest.mark.parametrize(
    ("variable", "text"), [("CHOIRBOOK_PORT", "http"), ("CACHE_TTL", "5 min"), ("CHOIRBOOK_WATCH", "?")]
)
def test_a_variable_that_cannot_be_read_is_named(variable: str, text: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{variable} in the environment"):
        loaded(environment={variable: text})


def test_a_variable_of_an_environment_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    env_file = tmp_path / "settings.env"
    env_file.write_text("CHOIRBOOK_PORT=http\n")
    with pytest.raises(InvalidSettings, match=r"CHOIRBOOK_PORT in .*settings\.env"):
        load(env_file=env_file, environment={})


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("CHOIRBOOK_PROT", "Did you mean CHOIRBOOK_PORT?"),
        ("CHOIRBOOK_CACHE_TTL", "Did you mean CACHE_TTL?"),
        ("CHOIRBOOK_ADMIN_TOKENFILE", "Did you mean CHOIRBOOK_ADMIN_TOKEN_FILE?"),
        ("CHOIRBOOK_REDIS", "Did you mean REDIS_URL?"),
        ("CHOIRBOOK_METRICS_PORT", "Did you mean CHOIRBOOK_METRICS?"),
        ("CHOIRBOOK_ZZZZZZ", "Every variable that begins with CHOIRBOOK_ must be a setting"),
    ],
)
def test_an_unknown_variable_of_this_product_stops_the_start(
    tmp_path: Path, name: str, suggestion: str
) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} in the environment is not a setting") as caught:
        loaded(environment={name: "1", "OTHER_PROT": "1"})
    assert suggestion in caught.value.message
    env_file = tmp_path / "settings.env"
    env_file.write_text(f"{name}=1\n")
    with pytest.raises(InvalidSettings, match=r"settings\.env"):
        load(env_file=env_file, environment={})


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_every_field_is_a_variable_that_is_known(field: str) -> None:
    try:
        loaded(environment={f"CHOIRBOOK_{field.upper()}": "?"})
    except InvalidSettings as error:
        assert "is not a setting" not in error.message  # noqa: PT017 - a value may be wrong, the name is not


def test_variables_that_kubernetes_sets_for_a_service_of_this_name_are_no_mistake_of_the_operator() -> None:
    links = {
        "CHOIRBOOK_SERVICE_HOST": "10.0.0.1",
        "CHOIRBOOK_SERVICE_PORT": "8000",
        "CHOIRBOOK_SERVICE_PORT_HTTP": "8000",
        "CHOIRBOOK_DOCS_SERVICE_HOST": "10.0.0.1",
        "CHOIRBOOK_DOCS_PORT": "tcp://10.0.0.1:8000",
        "CHOIRBOOK_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "CHOIRBOOK_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert loaded(environment=links) == Settings()
    with pytest.raises(InvalidSettings, match="enableServiceLinks"):
        loaded(environment={"CHOIRBOOK_PORT": "tcp://10.0.0.1:8000"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"port = ", "is not valid TOML"),
        (b"\xff", "is not valid TOML"),
        (b"prot = 1", "unknown key 'prot'. Did you mean 'port'?"),
        (b"port = 'x'", "settings are invalid"),
        (b"root = 5", "root"),
        (b"port = 99999", "port"),
    ],
)
def test_a_settings_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    config = tmp_path / "settings.toml"
    config.write_bytes(content)
    with pytest.raises(InvalidSettings, match=reason):
        load(config=config, environment={})


def test_a_settings_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        load(config=tmp_path / "none.toml", environment={})


def test_a_flag_of_the_wrong_type_is_named() -> None:
    with pytest.raises(InvalidSettings, match="port"):
        loaded({"port": "8000"})


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - that it is not loopback is the point
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, is_loopback: bool) -> None:  # noqa: FBT001
    assert Settings(host=host).is_loopback() is is_loopback


TOKEN = "0123456789abcdef"  # noqa: S105 - of the tests


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"CHOIRBOOK_ADMIN": "127.0.0.1:1"}, "need a token"),
        ({"CHOIRBOOK_ADMIN": "127.0.0.1:1", "CHOIRBOOK_ADMIN_TOKEN": ""}, "need a token"),
        ({"CHOIRBOOK_ADMIN": "unix:/x", "CHOIRBOOK_ADMIN_TOKEN": TOKEN[1:]}, "at least 16"),
        ({"CHOIRBOOK_ADMIN": "unix:/x", "CHOIRBOOK_ADMIN_TOKEN": TOKEN + " x"}, "without spaces"),
        (
            {
                "CHOIRBOOK_ADMIN": "unix:/x",
                "CHOIRBOOK_ADMIN_TOKEN": TOKEN,
                "CHOIRBOOK_ADMIN_TOKEN_FILE": "/y",
            },
            "twice",
        ),
        ({"CHOIRBOOK_ADMIN": "example.org:1", "CHOIRBOOK_ADMIN_TOKEN": TOKEN}, "other machines"),
    ],
)
def test_an_admin_surface_that_is_not_safe_stops_the_start(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidSettings, match=reason) as caught:
        loaded(environment=environment)
    assert TOKEN[1:] not in str(caught.value)


def test_an_admin_surface_needs_a_token_on_a_port_only() -> None:
    assert loaded(environment={"CHOIRBOOK_ADMIN": "unix:/x"}).admin == "unix:/x"
    with_token = {"CHOIRBOOK_ADMIN": "127.0.0.1:1", "CHOIRBOOK_ADMIN_TOKEN": TOKEN}
    assert loaded(environment=with_token).admin_token == TOKEN
    with_file = {"CHOIRBOOK_ADMIN": "127.0.0.1:1", "CHOIRBOOK_ADMIN_TOKEN_FILE": "/run/token"}
    assert loaded(environment=with_file).admin_token_file == Path("/run/token")


@pytest.mark.parametrize(
    ("chosen", "is_served"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "192.0.2.1", "public": True}, False),
        ({"host": "192.0.2.1", "public": True, "dashboard": True}, True),
        ({"metrics": False}, False),
        ({"metrics": False, "dashboard": True}, True),
        ({"dashboard": False}, False),
    ],
)
def test_the_dashboard_is_for_this_machine_unless_it_is_said(
    chosen: dict[str, Any], *, is_served: bool
) -> None:
    assert Settings(**chosen).serves_dashboard is is_served


SECRET = "0123456789abcdef" * 2
FAR = "redis://redis.example:6379/0"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://127.8.9.1:7/2",
        "redis://localhost",
        "redis://[::1]",
        "unix:///run/r.sock",
    ],
)
def test_redis_on_this_machine_needs_no_secret(url: str) -> None:
    assert loaded(environment={"REDIS_URL": url}).redis_secret == ""


@pytest.mark.parametrize(
    "url", [FAR, "rediss://redis.example", "redis://10.0.0.7", "redis://0.0.0.0", "redis://localhost.example"]
)
def test_redis_elsewhere_needs_a_secret_or_that_none_is_wanted(url: str) -> None:
    with pytest.raises(
        InvalidSettings, match=r"CHOIRBOOK_REDIS_SECRET.*openssl rand -hex 32.*--redis-unsigned"
    ):
        loaded(environment={"REDIS_URL": url})
    for environment in (
        {"CHOIRBOOK_REDIS_SECRET": SECRET},
        {"CHOIRBOOK_REDIS_SECRET_FILE": "/run/secret"},
        {"CHOIRBOOK_REDIS_UNSIGNED": "true"},
    ):
        assert loaded(environment={"REDIS_URL": url, **environment}).redis_url == url


def test_message_about_a_missing_secret_does_not_show_the_password() -> None:
    with pytest.raises(InvalidSettings) as error:
        loaded(environment={"REDIS_URL": "redis://somebody:hunter2@redis.example"})
    assert "hunter2" not in error.value.message
    assert "redis.example:6379" in error.value.message


@pytest.mark.parametrize(
    "secret", ["short", "a" * 64, "ab" * 32, f"{SECRET} {SECRET}", f"{SECRET}\n", "ä" * 40, " " * 40]
)
@pytest.mark.parametrize("name", ["CHOIRBOOK_REDIS_SECRET", "CHOIRBOOK_REDIS_PREVIOUS_SECRET"])
def test_secret_that_could_be_guessed_stops_the_start_and_is_not_shown(name: str, secret: str) -> None:
    environment = {"REDIS_URL": FAR, "CHOIRBOOK_REDIS_SECRET": SECRET, name: secret}
    with pytest.raises(InvalidSettings, match=f"{name} must be 32 or more") as error:
        loaded(environment=environment)
    assert secret not in error.value.message


@pytest.mark.parametrize(
    "environment",
    [
        {"CHOIRBOOK_REDIS_SECRET": SECRET, "CHOIRBOOK_REDIS_SECRET_FILE": "/run/secret"},
        {"CHOIRBOOK_REDIS_PREVIOUS_SECRET": SECRET},
        {"CHOIRBOOK_REDIS_PREVIOUS_SECRET": SECRET, "CHOIRBOOK_REDIS_SECRET_FILE": "/run/secret"},
    ],
)
def test_secrets_that_contradict_each_other_stop_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match="CHOIRBOOK_REDIS_SECRET"):
        loaded(environment={"REDIS_URL": FAR, **environment})
