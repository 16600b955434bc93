import os
import subprocess
import sys
import time

from prometheus_client import CollectorRegistry, ProcessCollector

from choirbook.observe.processes import figures, look_at
from choirbook.observe.shared_metrics import SharedMetrics


def test_a_process_is_seen_as_the_client_library_sees_it() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    found = look_at(os.getpid())
    assert found is not None
    theirs = {metric.name: metric.samples[0].value for metric in registry.collect()}
    assert found.start_s == theirs["process_start_time_seconds"]
    assert found.max_fds == theirs["process_max_fds"]
    assert abs(found.open_fds - theirs["process_open_fds"]) <= 2
    assert 0.5 < found.resident_bytes / theirs["process_resident_memory_bytes"] < 2
    assert 0.5 < found.virtual_bytes / theirs["process_virtual_memory_bytes"] < 2
    assert found.start_s < time.time()


def test_a_process_that_is_gone_is_none() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert look_at(gone.pid) is None


def test_without_workers_there_is_nothing_of_them() -> None:
    names = {metric for metric, _ in figures(SharedMetrics(3))}
    assert names == {
        "choirbook_workers",
        "choirbook_workers_wanted",
        "choirbook_worker_respawns_total",
        "python_info",
    }
    assert figures(SharedMetrics(3))["choirbook_workers_wanted", ()] == 3
