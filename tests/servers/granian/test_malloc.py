import subprocess
import sys

import pytest

CHURN = """
import resource
from choirbook.servers.granian.malloc import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        blocks = [bytes(4_000 + idx) for idx in range(200)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
told = keep_freed_memory()
faults()
print(int(told), given_back, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is what is told")
def test_what_is_freed_is_used_again_without_asking_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", CHURN], capture_output=True, text=True, check=True)

    told, given_back, kept = map(int, done.stdout.split())
    assert told
    assert kept < given_back / 100
