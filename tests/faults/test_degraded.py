"""Promise 16: what is not as it should be shows in a metric, and the process is alive all the same."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose, path_of
from tests.faults.figures import Figures
from tests.faults.load import describe, loading
from tests.faults.processes import UNMEASURED, need
from tests.faults.test_workers_killed import kill, lost_after
from tests.servers.metrics import count, metrics, total
from tests.support import trees
from tests.support.cli import choirbook
from tests.support.servers import Server, wait_for

SHOWN_S = 15.0
NO_WATCHES = 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"'
"""Limits inotify in a user namespace: nothing in it gets file system notifications."""


def has_failed_scans(client: httpx.Client) -> bool:
    return total(metrics(client), "choirbook_failed_scans_total") > 0


def shows(client: httpx.Client, version: int) -> bool:
    return f"version: {version}\n" in client.get(path_of("ash")).json()["content"]


def test_without_watches_edits_still_show_and_a_metric_says_so(
    serve: Serve, root: Path, figures: Figures
) -> None:
    need("unshare", "--user", "--map-root-user", "sh", "-c", NO_WATCHES, "sh", "true")
    wrapper = (*UNMEASURED, "unshare", "--user", "--map-root-user", "sh", "-c", NO_WATCHES, "sh")
    begun_s = time.monotonic()
    with serve(wrapper=wrapper) as server, server.client() as client:
        wait_for(lambda: count(metrics(client), "choirbook_watch_up") == 0, "the metric shows it", SHOWN_S)
        shown_s = time.monotonic() - begun_s
        # In memory, so that no read meets the new version by itself.
        assert shows(client, 1)
        edited_s = time.monotonic()
        trees.replace(root / "ash.md", compose("ash", 2))
        wait_for(partial(shows, client, 2), "the edit shows")
        taken_s = time.monotonic() - edited_s

    fault = "no inotify watch to be had"
    figures.hold(16, fault, "until a metric shows it, from the start", shown_s, "s", at_most=SHOWN_S)
    figures.hold(3, fault, "until an edit showed", taken_s, "s", at_most=5.0)


def test_root_that_went_away_fails_no_read_of_what_is_known(
    serve: Serve, root: Path, figures: Figures
) -> None:
    away = root.with_name("away")
    # A short time to live, so that reads go to the source; and a root that is not there is no deletion.
    with (
        serve(CACHE_TTL="0.2") as server,
        server.client() as client,
        loading(server.port, NAMES, rate_per_s=100) as load,
    ):
        wait_for(
            lambda: total(metrics(client), "mcp_resource_cache_misses_total") >= 4 * len(NAMES),
            "all is known",
        )
        begun_s = time.monotonic()
        root.rename(away)
        wait_for(partial(has_failed_scans, client), "the metric shows it", SHOWN_S)
        shown_s = time.monotonic() - begun_s
        alive = client.get("/healthz").status_code
        away.rename(root)
        trees.replace(root / "ash.md", compose("ash", 2))
        back_s = time.monotonic()
        wait_for(partial(shows, client, 2), "an edit shows")
        taken_s = time.monotonic() - back_s
        summary = load.finish()

    fault = "the root is moved away, and back"
    assert alive == 200
    figures.hold(16, fault, "until a metric shows it", shown_s, "s", at_most=SHOWN_S)
    figures.hold(16, fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.hold(3, fault, "until an edit showed", taken_s, "s", at_most=5.0)


def states(server: Server) -> list[str]:
    found = choirbook(
        "top", "--url", f"http://127.0.0.1:{server.port}", "--once", "--json", "--interval", "0.1"
    )
    return [state["id"] for state in json.loads(found.stdout)["states"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [("choirbook.toml", "name = "), pytest.param(".choirbookignore", "[z-a]\n", marks=pytest.mark.long)],
    ids=["rules", "ignore"],
)
def test_broken_rules_show_everywhere_and_end_nothing(
    serve: Serve, root: Path, figures: Figures, name: str, text: str
) -> None:
    trees.plant(root, {".choirbookignore": "drafts/\n", "drafts/secret.md": "# Secret\n"})
    with (
        serve(workers=2) as server,
        server.client() as client,
        loading(server.port, NAMES, rate_per_s=100) as load,
    ):
        begun_s = time.monotonic()
        trees.replace(root / name, text)
        wait_for(lambda: count(metrics(client), "choirbook_rules_up") == 0, "the metric shows it", SHOWN_S)
        shown_s = time.monotonic() - begun_s
        told = states(server)
        gone_s, _ = kill(server, server.workers()[0])
        # Of the workers that run, the worst: the one that took the other's place is ready as well.
        wait_for(lambda: count(metrics(client), "choirbook_workers") == 2, "the other worker is back")
        wait_for(lambda: count(metrics(client), "choirbook_ready") == 1, "all workers are ready")
        trees.replace(root / "ash.md", compose("ash", 2))
        edited_s = time.monotonic()
        wait_for(partial(shows, client, 2), "an edit shows")
        taken_s = time.monotonic() - edited_s
        with server.client(fresh=True) as fresh:
            ready = fresh.get("/readyz")
            secret = fresh.get("/mcp/resources/files/drafts/secret.md").status_code
        summary = load.finish()

    assert told == ["rules-refused"]
    assert ready.status_code == 200
    assert ready.json()["degraded"][0].startswith(name)
    assert secret == 404
    fault = f"a broken {name}"
    figures.hold(16, fault, "until a metric shows it", shown_s, "s", at_most=SHOWN_S)
    figures.hold(16, fault, "until an edit showed all the same", taken_s, "s", at_most=5.0)
    lost = lost_after(summary, [gone_s])
    figures.hold(16, fault, "failed reads, the killed worker's left out", lost, "reads", at_most=0)
