from __future__ import annotations

import os
import subprocess
import sys
import time

from choirbook_perf.ab.cpu import cpu_s, family, settle


def burn(seconds: float) -> None:
    until_s = time.process_time() + seconds
    while time.process_time() < until_s:
        pass


def test_the_time_of_a_process_is_what_it_says_itself() -> None:
    before_s = cpu_s([os.getpid()])
    mine_s = time.process_time()
    burn(0.05)
    spent_s = time.process_time() - mine_s
    after_s = cpu_s([os.getpid()])
    assert before_s is not None
    assert after_s is not None
    assert spent_s <= after_s - before_s <= spent_s + 0.05


def test_descendants_belong_to_a_process_and_their_end_is_noticed() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the grandchild runs
        found = family(process.pid)
        assert len(found) == 2
        assert cpu_s(found) is not None
        settle(found)
        process.communicate(b"\n")
        assert cpu_s(found) is None
