import pytest

from choirbook_perf.profiling.native_stacks import component_of, components_of, parse

GRANIAN = "/x/site-packages/granian/_granian.cpython-311-x86_64-linux-gnu.so"
SCRIPT = f"""\
tokio worker-1 23/24 cpu-clock:pppH:
        ffffffff81a86dc3 tcp_sendmsg ([kernel.kallsyms])
        ffffffff82123456 do_syscall_64 ([kernel.kallsyms])
                  f786a __send (/usr/lib/x86_64-linux-gnu/libc.so.6)
                  10000 [unknown] ({GRANIAN})
                  20000 [unknown] ({GRANIAN})
           7ffc0efdf14 [unknown] ([unknown])

python 23/23 cpu-clock:pppH:
                  12345 _PyEval_EvalFrameDefault (/usr/lib/libpython3.11.so.1.0 (deleted))
                  23456 map<int, char>::at(int const&) (inlined) (/x/site-packages/uvloop/loop.so)

python 23/23 cpu-clock:pppH:
           7ffc0efdf14 [unknown] ([unknown])

"""


def test_samples_become_stacks_from_the_outermost_function_on() -> None:
    found = parse(SCRIPT.splitlines())
    assert found.has_kernel
    assert found.stacks == {
        (
            "process 23",
            "(no symbol) [Granian]",
            "__send [libc]",
            "do_syscall_64 [kernel]",
            "tcp_sendmsg [kernel]",
        ): 1,
        (
            "process 23",
            "map<int, char>::at(int const&) (inlined) [uvloop]",
            "_PyEval_EvalFrameDefault [Python interpreter]",
        ): 1,
        ("process 23", "(no symbol) [unknown]"): 1,
    }


def test_components_share_the_samples_by_where_the_code_ran() -> None:
    shares = {each.component: each.own for each in components_of(parse(SCRIPT.splitlines()).stacks)}
    assert shares == {
        "kernel": pytest.approx(1 / 3),
        "Python interpreter": pytest.approx(1 / 3),
        "unknown": pytest.approx(1 / 3),
    }


def test_samples_of_user_code_only_are_without_the_kernel() -> None:
    found = parse(SCRIPT.replace("cpu-clock:pppH:", "cpu-clock:uppp:").splitlines())
    assert not found.has_kernel
    assert sum(found.stacks.values()) == 3


def test_no_samples_are_no_stacks() -> None:
    assert parse([]).stacks == {}
    assert components_of({}) == []


@pytest.mark.parametrize(
    ("file", "component"),
    [
        ("[kernel.kallsyms]", "kernel"),
        ("[guest.kernel.kallsyms]", "kernel"),
        ("[nf_conntrack]", "kernel"),
        ("/lib/modules/6.1.0/kernel/net/veth.ko.xz", "kernel"),
        ("[vdso]", "unknown"),
        ("[unknown]", "unknown"),
        ("//anon", "unknown"),
        (GRANIAN, "Granian"),
        ("/x/site-packages/uvloop/loop.cpython-311-x86_64-linux-gnu.so", "uvloop"),
        ("/x/site-packages/msgspec/_core.cpython-311-x86_64-linux-gnu.so", "msgspec"),
        ("/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", "_json"),
        ("/usr/local/lib/libpython3.11.so.1.0", "Python interpreter"),
        ("/usr/bin/python3.11", "Python interpreter"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc"),
        ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "libc"),
        ("/usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl"),
    ],
)
def test_a_file_of_code_belongs_to_a_component(file: str, component: str) -> None:
    assert component_of(file) == component
