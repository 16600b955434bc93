"""Promise 16: what is not as it should be shows in a metric, and the process is alive all the same."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import httpx

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import compose, path_of
from tests.faults.figures import Figures
from tests.faults.load import describe, loading
from tests.faults.processes import UNMEASURED, need
from tests.servers.metrics import count, metrics, total
from tests.support import trees
from tests.support.servers import wait_for

SHOWN_S = 15.0
NO_WATCHES = 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"'
"""Of a user namespace: nothing in it can have the system tell of changes."""


def has_failed_surveys(client: httpx.Client) -> bool:
    return total(metrics(client), "carrel_failed_surveys_total") > 0


def shows(client: httpx.Client, version: int) -> bool:
    return f"version: {version}\n" in client.get(path_of("ash")).json()["content"]


def test_without_watches_edits_still_show_and_a_metric_says_so(
    serve: Serve, root: Path, figures: Figures
) -> None:
    need("unshare", "--user", "--map-root-user", "sh", "-c", NO_WATCHES, "sh", "true")
    wrapper = (*UNMEASURED, "unshare", "--user", "--map-root-user", "sh", "-c", NO_WATCHES, "sh")
    begun_s = time.monotonic()
    with serve(wrapper=wrapper) as server, server.client() as client:
        wait_for(lambda: count(metrics(client), "carrel_watch_up") == 0, "the metric shows it", SHOWN_S)
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
        wait_for(partial(has_failed_surveys, client), "the metric shows it", SHOWN_S)
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
