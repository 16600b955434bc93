import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from choirbook.observe.metrics import METRICS

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
GROUPS = ("choirbook.rules.yml", "choirbook.alerts.yml")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs Prometheus: scripts/install"
)

# What a histogram's series are called, and what the client library has of the process.
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
ELSEWHERE = {"up"}


def rules() -> list[dict[str, str]]:
    documents = [yaml.safe_load((RULES / name).read_text()) for name in GROUPS]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", *GROUPS],
        ["test", "rules", "choirbook.test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_is_content(arguments: list[str]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=RULES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_ask_for_metrics_that_there_are() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = set(METRICS) | recorded | ELSEWHERE
    for rule in rules():
        bare = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", rule["expr"])
        asked = set(re.findall(r"[a-z_]+(?::[a-z_]+)*:\w+|(?:mcp|choirbook)_\w+", bare))
        for name in asked:
            assert name in known or SUFFIXES.sub("", name) in known, (rule, name)


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) >= 12
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}  # type: ignore[index]
        assert set(alert["annotations"]) == {"summary", "description"}, alert["alert"]


def test_every_alert_is_in_the_unit_tests() -> None:
    tested = (RULES / "choirbook.test.yml").read_text()
    assert [rule["alert"] for rule in rules() if "alert" in rule and rule["alert"] not in tested] == []
