import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.errors import BadInput
from choirbook_perf.profiling.stacks import (
    NATIVE,
    decode_speedscope,
    samples_by_process,
    shares_of,
    short_file,
    speedscope_of,
    speedscope_without_places,
    stacks_of,
)

frames = st.lists(
    st.fixed_dictionaries(
        {"name": st.text(min_size=1, max_size=4), "file": st.sampled_from(["", "/a/src/b.py", "c.py"])}
    ),
    min_size=1,
    max_size=6,
)


@st.composite
def speedscopes(draw: st.DrawFn) -> bytes:
    known = draw(frames)
    stack = st.lists(st.integers(0, len(known) - 1), max_size=5)
    samples = draw(st.lists(stack, min_size=1, max_size=10))
    return speedscope(known, samples)


def speedscope(known: list[dict[str, str]], samples: list[list[int]]) -> bytes:
    return json.dumps(
        {"shared": {"frames": known}, "profiles": [{"samples": samples, "weights": [0.01] * len(samples)}]}
    ).encode()


@given(speedscopes())
def test_own_shares_add_up_to_one(data: bytes) -> None:
    shares = shares_of(stacks_of(decode_speedscope(data)))
    assert sum(share.own for share in shares) == pytest.approx(1)
    assert all(share.own <= share.cumulative + 1e-9 for share in shares)
    assert all(share.cumulative <= 1 + 1e-9 for share in shares)
    assert [share.own for share in shares] == sorted((share.own for share in shares), reverse=True)


@given(speedscopes())
def test_stacks_survive_being_written_as_a_speedscope_file(data: bytes) -> None:
    stacks = stacks_of(decode_speedscope(data))
    written = json.loads(speedscope_of(stacks, "name"))
    names = [frame["name"] for frame in written["shared"]["frames"]]
    (profile,) = written["profiles"]
    read = [tuple(names[index] for index in sample) for sample in profile["samples"]]
    assert dict(zip(read, profile["weights"], strict=True)) == dict(stacks)
    assert profile["endValue"] == sum(stacks.values())


def test_stacks_without_a_python_frame_are_native() -> None:
    process = {"name": 'process 7:"/opt/x/bin/python choirbook"', "file": ""}
    data = speedscope([process], [[0], []])
    stacks = stacks_of(decode_speedscope(data))
    assert stacks == {("process 7", NATIVE): 1, (NATIVE,): 1}
    assert [share.function for share in shares_of(stacks)] == [NATIVE]
    assert b"/opt/x" not in speedscope_without_places(data)


def test_samples_are_counted_by_process() -> None:
    known = [
        {"name": "process 7:python a", "file": ""},
        {"name": "process 8:python b", "file": ""},
        {"name": "f", "file": "f.py"},
    ]
    stacks = stacks_of(decode_speedscope(speedscope(known, [[0, 2], [0, 1, 2], [0, 1, 2]])))
    assert samples_by_process(stacks) == {"process 8": 2, "process 7": 1}


def test_samples_without_a_process_are_counted_as_one() -> None:
    stacks = stacks_of(decode_speedscope(speedscope([{"name": "f", "file": "f.py"}], [[0], [0]])))
    assert samples_by_process(stacks) == {"": 2}


def test_a_recursive_function_counts_once() -> None:
    (share,) = shares_of({("f", "f", "f"): 3})
    assert (share.own, share.cumulative) == (1, 1)


def test_what_is_no_speedscope_file_is_said() -> None:
    with pytest.raises(BadInput, match="speedscope"):
        decode_speedscope(b"{}")


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/x/y/.venv/lib/python3.11/site-packages/granian/server/mp.py", "granian/server/mp.py"),
        ("/x/checkout/src/choirbook/app.py", "choirbook/app.py"),
        ("/usr/lib/python3.11/asyncio/base.py", "asyncio/base.py"),
        ("/x/bin/choirbook", "choirbook"),
        ("granian/server/mp.py", "granian/server/mp.py"),
    ],
)
def test_a_source_file_loses_its_place(file: str, short: str) -> None:
    assert short_file(file) == short
