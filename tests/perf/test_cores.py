from __future__ import annotations

import os
import subprocess
import sys

from choirbook_perf.cores import divide, divided, pin


def test_the_load_has_a_core_of_its_own_where_there_are_several() -> None:
    assert divide([3, 0, 1]) == ((0, 1), (3,))
    assert divide([2]) == ((2,), (2,))


def test_a_process_keeps_to_its_cores_and_the_division_ends() -> None:
    before = os.sched_getaffinity(0)
    with divided() as cores:
        assert os.sched_getaffinity(0) == set(cores.load)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            pin(process.pid, cores.servers)
            assert os.sched_getaffinity(process.pid) == set(cores.servers)
            process.communicate(b"\n")
        pin(process.pid, cores.servers)  # it has ended: nothing to do
    assert os.sched_getaffinity(0) == before
