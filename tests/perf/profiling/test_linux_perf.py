import pytest

from choirbook_perf.profiling.linux_perf import refusal

LIMITED = """\
Error:
Access to performance monitoring and observability operations is limited.
Consider adjusting /proc/sys/kernel/perf_event_paranoid setting to open
"""


@pytest.mark.parametrize(
    ("told", "meaning"),
    [
        (LIMITED, "perf has no permission to sample process 7: kernel.perf_event_paranoid is "),
        ("perf_event_open(...): Permission denied", "sysctl kernel.perf_event_paranoid=1"),
        ("sys_perf_event_open() syscall returned with 1 (Operation not permitted)", "seccomp"),
        ("WARNING: perf not found for kernel 6.1.0-9", "Install the perf of this kernel."),
        ("Error:\nThe cpu-clock event is not supported.", "perf does not work with this kernel"),
        ("Error:\nSomething else went wrong.", "perf cannot sample process 7: Something else went wrong."),
        ("", "perf cannot sample process 7: no output"),
    ],
)
def test_what_perf_says_has_a_meaning(told: str, meaning: str) -> None:
    assert meaning in refusal(7, told).message
