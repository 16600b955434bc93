"""Every query of the runbook, and every rule, asked of a real Prometheus beside a Carrel under load."""

import http.client
import json
import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from benchmarks.processes import free_port
from carrel_perf.launching import launched, starter_library
from tests.perf.runbook_page import ROOT, queries

pytestmark = [
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Prometheus: scripts/install"),
    pytest.mark.timeout(180),
]

RULES = ROOT / "deploy" / "prometheus"
PATHS = ("sdlc/core", "patterns/core", "templates/prd-template", "nothing/of/that/name")
READS_A_ROUND = 40
DEADLINE_S = 90.0


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str, **parameters: str) -> Any:
        """Ask its HTTP API; None while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
            return json.load(connection.getresponse())
        except (ConnectionError, json.JSONDecodeError):
            return None
        finally:
            connection.close()

    def has_data(self, query: str) -> bool:
        """Tell whether a query gives at least one figure."""
        answer = self.get("query", query=query)
        if answer is None:
            return False
        assert answer["status"] == "success", (query, answer)
        return any(not math.isnan(float(sample["value"][1])) for sample in answer["data"]["result"])


@contextmanager
def prometheus(directory: Path, carrel_port: int) -> Iterator[Prometheus]:
    """Run a Prometheus with the project's configuration, but for address, intervals, and places."""
    config = yaml.safe_load((RULES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{carrel_port}"]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(30)


def read(connection: http.client.HTTPConnection, name: str) -> None:
    connection.request("GET", f"/mcp/resources/{name}", headers={"Accept": "text/*"})
    response = connection.getresponse()
    response.read()
    assert response.status in {200, 404}


def test_every_query_and_rule_has_data_under_load(tmp_path: Path) -> None:
    asked = queries()
    assert len(asked) >= 20
    # A document leaves the cache in between scrapes, so that there are misses all the time.
    with (
        launched(starter_library(), variables={"CACHE_TTL": "0.2", "CARREL_CACHE_GRACE_S": "0"}) as server,
        prometheus(tmp_path, server.port) as watching,
    ):
        connection = server.connect()
        names = cycle(PATHS)
        deadline_s = time.monotonic() + DEADLINE_S
        missing = asked
        while missing and time.monotonic() < deadline_s:
            for _ in range(READS_A_ROUND):
                read(connection, next(names))
            missing = [query for query in missing if not watching.has_data(query)]
        connection.close()
        assert missing == []
        groups = watching.get("rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) >= 20
        assert [rule["name"] for rule in rules if rule.get("lastError")] == []
        firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
        assert firing == []
