import os
import subprocess
import sys

import pytest

from choirbook_perf.profiling.cpu import CpuTime, between, processes_of, snapshot

BURN = """\
import subprocess, sys, time
child = [sys.executable, "-c", "import time\\nwhile time.process_time() < 0.6: pass\\ninput()"]
with subprocess.Popen(child, stdin=subprocess.PIPE) as inner:
    while time.process_time() < 0.5: pass
    # The inner one has no other way to say that it is done, as its output would be this one's.
    stat = f"/proc/{inner.pid}/stat"
    while sum(map(int, open(stat).read().rpartition(")")[2].split()[11:13])) < 50: time.sleep(0.01)
    print(inner.pid, flush=True)
    input()
"""


def test_cpu_time_is_that_of_the_process_and_its_descendants() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        before = snapshot(process.pid)
        assert process.stdout is not None
        inner = int(process.stdout.readline())
        spent = between(before, snapshot(process.pid))
        assert processes_of(process.pid) == sorted([process.pid, inner])
        process.communicate("\n")
    # Both burnt half a second and more; the kernel counts hundredths of a second.
    assert 0.9 < spent.total_s < 3
    assert spent.waited_s >= 0


def test_a_process_that_is_not_there_has_no_cpu_time() -> None:
    assert processes_of(4194304) == []
    assert snapshot(4194304) == {}
    assert between({}, {}) == CpuTime()


def test_a_process_that_came_later_counts_from_its_start() -> None:
    early = {1: CpuTime(1, 2, 3)}
    late = {1: CpuTime(2, 4, 6), 2: CpuTime(0.5, 0.5, 0.5)}
    assert between(early, late) == CpuTime(1.5, 2.5, 3.5)
    assert between(late, early).total_s == pytest.approx(-3)


def test_this_process_is_among_its_own() -> None:
    assert os.getpid() in processes_of(os.getpid())
