"""The Containerfile and the compose project, as far as they can be checked without an engine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from choirbook import settings
from tests.deploy.secrets import made_secrets

DEPLOY = Path(__file__).parents[2] / "deploy"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_the_containerfile_follows_the_rules_of_hadolint() -> None:
    done = subprocess.run([BIN / "hadolint", CONTAINERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_sets_what_choirbook_knows_and_does_not_run_as_root() -> None:
    text = CONTAINERFILE.read_text().replace("\\\n", "")
    variables = dict(
        pair.split("=", 1)
        for line in text.splitlines()
        if line.startswith("ENV ")
        for pair in line.split()[1:]
    )
    of_choirbook = {name: value for name, value in variables.items() if name.startswith("CHOIRBOOK_")}
    known = {f"CHOIRBOOK_{name.upper()}" for name in settings.Settings.__struct_fields__}
    assert set(of_choirbook) <= known
    assert settings.load(environment=of_choirbook).public
    assert "USER 10001:10001" in text.splitlines()


def test_the_compose_project_fits_the_compose_specification() -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_compose_project_mounts_and_builds_from_is_there(
    services: dict[str, Any], tmp_path: Path
) -> None:
    build = services["choirbook"]["build"]
    context = COMPOSE.parent / build["context"]
    assert (context / build["dockerfile"]).resolve() == CONTAINERFILE.resolve()
    sources = [
        volume.partition(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if isinstance(volume, str) and volume.startswith(".")
    ]
    assert sources
    made = {f"./secrets/{file.name}" for file in made_secrets(tmp_path).directory.iterdir()}
    missing = [source for source in sources if not (COMPOSE.parent / source).exists()]
    assert set(missing) <= made
    assert f"./{services['choirbook']['env_file']}" in made


def test_choirbook_and_redis_write_nothing_and_may_do_nothing_special(services: dict[str, Any]) -> None:
    for name in ("choirbook", "redis"):
        service = services[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_no_port_is_open_to_other_machines(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_scrapes_a_name_that_choirbook_accepts_as_host(services: dict[str, Any]) -> None:
    scrapes = yaml.safe_load((COMPOSE.parent / "prometheus.yml").read_text())["scrape_configs"]
    targets = [
        target for scrape in scrapes for static in scrape["static_configs"] for target in static["targets"]
    ]
    hosts = services["choirbook"]["environment"]["CHOIRBOOK_ALLOWED_HOSTS"].split(",")
    assert targets
    assert {target.partition(":")[0] for target in targets} <= set(hosts)


def test_the_image_is_built_from_what_the_package_needs_and_nothing_else() -> None:
    copied = {
        word
        for line in CONTAINERFILE.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    kept = {
        line.removeprefix("!")
        for line in (DEPLOY.parent / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied == kept
    assert all((DEPLOY.parent / name).exists() for name in copied)
