"""The Kubernetes manifests: their schemas, what they say of each other, and what they say of Choirbook."""

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from choirbook import settings
from choirbook.http.openapi import openapi_document
from choirbook.redis.url import parse_redis_url
from tests.deploy.secrets import made_secrets

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"
COMPOSE = MANIFESTS.parent / "compose" / "compose.yaml"
OLDEST = "1.30"
"""The oldest release of Kubernetes that the manifests are for."""

Manifest = dict[str, Any]


def objects() -> list[Manifest]:
    paths = [path for path in sorted(MANIFESTS.glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


def named(kind: str, name: str = "choirbook") -> Manifest:
    found: Manifest
    (found,) = [one for one in objects() if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def pods() -> list[Manifest]:
    return [one["spec"]["template"]["spec"] for one in objects() if one["kind"] == "Deployment"]


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def container(name: str) -> Manifest:
    found: Manifest
    (found,) = [one for pod in pods() for one in pod["containers"] if one["name"] == name]
    return found


@pytest.mark.parametrize("release", [OLDEST, kubernetes_validate.latest_version()])
def test_each_object_fits_its_schema(release: str) -> None:
    of_kubernetes = [one for one in objects() if "monitoring.coreos.com" not in one["apiVersion"]]
    for one in of_kubernetes:
        kubernetes_validate.validate(one, release, strict=True)
    assert len(of_kubernetes) > len({one["kind"] for one in of_kubernetes}) > 5


def test_every_file_is_in_the_kustomization_or_named_in_it_as_optional() -> None:
    text = (MANIFESTS / "kustomization.yaml").read_text()
    files = {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml"}
    resources = set(yaml.safe_load(text)["resources"])
    assert resources | {"servicemonitor.yaml"} == files
    assert "# - servicemonitor.yaml" in text


def test_no_container_is_root_writes_to_its_image_or_has_a_capability() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for one in containers(pod):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in one["resources"]["limits"]


def test_the_settings_are_ones_that_choirbook_knows(tmp_path: Path) -> None:
    data = named("ConfigMap")["data"] | made_secrets(tmp_path).environment
    of_choirbook = {key: value for key, value in data.items() if not key.startswith("GITSYNC_")}
    known = {f"CHOIRBOOK_{name.upper()}" for name in settings.Settings.__struct_fields__}
    assert {key for key in of_choirbook if key.startswith("CHOIRBOOK_")} <= known
    read = settings.load(environment=of_choirbook)
    assert (read.workers, str(read.root)) == (2, "/library/current")
    url = parse_redis_url(read.redis_url)
    assert (url.host, url.port, url.tls, url.username) == ("redis", 6379, True, "choirbook")
    assert read.redis_secret


def test_secrets_are_those_that_are_made_and_reach_the_container_that_needs_them(tmp_path: Path) -> None:
    kustomization = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())
    generated = {
        one["name"]: one.get("files", []) + one.get("envs", []) for one in kustomization["secretGenerator"]
    }
    files = {Path(file).name for names in generated.values() for file in names}
    assert files == {file.name for file in made_secrets(tmp_path).directory.iterdir()}
    choirbook, redis = container("choirbook"), container("redis")
    assert {"secretRef": {"name": "choirbook-redis"}} in choirbook["envFrom"]
    assert all("secretRef" not in one for one in container("library-sync")["envFrom"])
    for name, where, pod_container in (("redis-ca", "redis-ca", choirbook), ("redis", "secrets", redis)):
        assert name in generated
        (mount,) = [one for one in pod_container["volumeMounts"] if one["name"] == where]
        assert (mount["mountPath"], mount["readOnly"]) == ("/run/redis", True)
        volumes = [volume for pod in pods() for volume in pod["volumes"] if volume["name"] == where]
        assert [volume["secret"]["secretName"] for volume in volumes] == [name]


def test_redis_is_run_as_in_the_compose_project_and_takes_no_plain_connections() -> None:
    args = container("redis")["args"]
    assert args == yaml.safe_load(COMPOSE.read_text())["services"]["redis"]["command"]
    assert args[args.index("--port") + 1] == "0"
    (port,) = container("redis")["ports"]
    assert args[args.index("--tls-port") + 1] == str(port["containerPort"])


def test_no_variable_of_a_service_gets_between_the_settings() -> None:
    (pod,) = [pod for pod in pods() if pod["containers"][0]["name"] == "choirbook"]
    assert pod["enableServiceLinks"] is False


def test_the_library_is_where_the_sync_links_it() -> None:
    arguments = dict(one.removeprefix("--").split("=") for one in container("library-sync")["args"])
    root = named("ConfigMap")["data"]["CHOIRBOOK_ROOT"]
    assert root == f"{arguments['root']}/{arguments['link']}"
    (mount,) = [one for one in container("choirbook")["volumeMounts"] if one["name"] == "library"]
    assert mount == {"name": "library", "mountPath": arguments["root"], "readOnly": True}


def test_probes_and_scrapes_ask_for_routes_that_are_there() -> None:
    asked = {
        container("choirbook")[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("readiness", "liveness", "startup")
    }
    asked |= {one["path"] for one in named("ServiceMonitor")["spec"]["endpoints"]}
    assert asked == {"/readyz", "/healthz", "/metrics"}
    assert asked <= set(openapi_document("0")["paths"])


def test_what_selects_pods_selects_those_of_the_deployment() -> None:
    labels = named("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert named("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert named("Service")["spec"]["selector"] == labels
    assert named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert named("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert (
        named("ServiceMonitor")["spec"]["selector"]["matchLabels"] == named("Service")["metadata"]["labels"]
    )
    assert named("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "choirbook"


def test_ports_lead_to_ports_of_that_name() -> None:
    (port,) = container("choirbook")["ports"]
    (of_service,) = named("Service")["spec"]["ports"]
    assert of_service["targetPort"] == port["name"]
    assert port["containerPort"] == settings.Settings().port
    assert {one["port"] for one in named("ServiceMonitor")["spec"]["endpoints"]} == {of_service["name"]}
    assert named("ServiceMonitor")["spec"]["jobLabel"] in named("Service")["metadata"]["labels"]


def test_the_disruption_budget_lets_a_node_be_drained() -> None:
    least = named("HorizontalPodAutoscaler")["spec"]["minReplicas"]
    assert least > named("PodDisruptionBudget")["spec"]["minAvailable"]


def test_a_pod_may_take_as_long_to_stop_as_choirbook_does() -> None:
    (pod,) = [pod for pod in pods() if pod["containers"][0]["name"] == "choirbook"]
    pause_s = int(container("choirbook")["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > pause_s + 10
