"""Every query of the runbook, and every rule, asked of a real Prometheus beside a Choirbook under load."""

import http.client
import time
from itertools import cycle
from pathlib import Path

import pytest

from choirbook_perf.own_server import launched, starter_library
from tests.perf.runbook_page import queries
from tests.support.prometheus import needs_prometheus, prometheus

pytestmark = [needs_prometheus, pytest.mark.timeout(180)]

PATHS = ("sdlc/core", "patterns/core", "templates/prd-template", "nothing/of/that/name")
READS_A_ROUND = 40
DEADLINE_S = 90.0


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
        launched(starter_library(), variables={"CACHE_TTL": "0.2", "CHOIRBOOK_CACHE_GRACE_S": "0"}) as server,
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
