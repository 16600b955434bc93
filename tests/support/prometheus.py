"""A real Prometheus that scrapes a Choirbook, with the rules and alerts of the project."""

from __future__ import annotations

import http.client
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from benchmarks.processes import free_port

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs Prometheus: scripts/install"
)


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
def prometheus(directory: Path, choirbook_port: int, *flags: str) -> Iterator[Prometheus]:
    """Run a Prometheus with the project's configuration, but for address, intervals, and places."""
    config = yaml.safe_load((RULES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{choirbook_port}"]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(30)
