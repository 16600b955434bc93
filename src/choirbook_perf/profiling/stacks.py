"""Time per function, from sampled stacks. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput

NATIVE = "(native threads, no Python code)"
"""Samples without any Python frame: in a Choirbook, the threads on which Granian parses and sends HTTP."""

# Name of a process when py-spy follows child processes: a frame below all others, with a command line.
_PROCESS = re.compile(r"(process \d+)\b.*", re.DOTALL)
_PLACES = re.compile(r".*/(?:site-packages|dist-packages|src|lib/python3\.\d+)/")

Stack = tuple[str, ...]
"""Functions from the outermost to the one that ran; the first ones may be a process and its parents."""

Stacks = Mapping[Stack, int]
"""Number of samples by stack."""


class Frame(msgspec.Struct, frozen=True):
    """One function, or one line of it."""

    name: str
    file: str | None = None
    line: int | None = None


class _Shared(msgspec.Struct, frozen=True):
    frames: list[Frame]


class _Thread(msgspec.Struct, frozen=True):
    samples: list[list[int]]


class Speedscope(msgspec.Struct, frozen=True):
    """The needed parts of a speedscope file (https://www.speedscope.app/file-format-schema.json)."""

    shared: _Shared
    profiles: list[_Thread]


class FunctionShare(msgspec.Struct, frozen=True):
    """One function and its share of the time."""

    function: str
    """`file:name`, the file without its directory on this machine; of native code `symbol [component]`."""
    own: float
    """Share of all samples in the function itself, from 0 to 1."""
    cumulative: float
    """Share of all samples in the function and its callees."""


def decode_speedscope(data: bytes) -> Speedscope:
    """Decode a speedscope file.

    Raises:
        BadInput: It is malformed.
    """
    try:
        return msgspec.json.decode(data, type=Speedscope)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"py-spy wrote no speedscope file that can be read: {error}. Profile again."
        ) from error


def stacks_of(profile: Speedscope) -> Counter[Stack]:
    """Count the samples of each stack of functions; py-spy records one entry for each sample."""
    names = [_name_of(frame) for frame in profile.shared.frames]
    found: Counter[Stack] = Counter()
    for thread in profile.profiles:
        for sample in thread.samples:
            stack = tuple(names[index] for index in sample)
            found[stack if any(map(_is_function, stack)) else (*stack, NATIVE)] += 1
    return found


def shares_of(stacks: Stacks) -> list[FunctionShare]:
    """Return every function with its share, the highest own share first."""
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
        # A recursive function counts once.
        for function in filter(_is_function, set(stack)):
            cumulative[function] += count
    total = sum(stacks.values())
    found = [FunctionShare(name, own[name] / total, part / total) for name, part in cumulative.items()]
    return sorted(found, key=lambda share: (-share.own, -share.cumulative, share.function))


def samples_by_process(stacks: Stacks) -> dict[str, int]:
    """Count the samples of each process, most samples first; "" stands for samples without a process."""
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        # py-spy puts a process below its parent; only a stack of one process can follow.
        processes = [name for name in stack if not _is_function(name)]
        found[processes[-1] if processes else ""] += count
    return dict(found.most_common())


def speedscope_of(stacks: Stacks, name: str) -> bytes:
    """Encode stacks as a speedscope file, each with the number of its samples as weight."""
    frames = {function: index for index, function in enumerate(dict.fromkeys(f for s in stacks for f in s))}
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "none",
        "startValue": 0,
        "endValue": sum(stacks.values()),
        "samples": [[frames[function] for function in stack] for stack in stacks],
        "weights": list(stacks.values()),
    }
    return msgspec.json.encode(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "name": name,
            "exporter": "choirbook perf profile",
            "shared": {"frames": [{"name": function} for function in frames]},
            "profiles": [profile],
        }
    )


def short_file(file: str) -> str:
    """Return the name of a source file without its directory on this machine."""
    shortened = _PLACES.sub("", file)
    return shortened.rpartition("/")[2] if shortened.startswith("/") else shortened


def speedscope_without_places(data: bytes) -> bytes:
    """Return a speedscope file without directories of this machine, fit to be shared."""
    document = msgspec.json.decode(data, type=dict[str, Any])
    for frame in document["shared"]["frames"]:
        frame["name"] = re.sub(r"^(process \d+):.*", r"\1", frame["name"])
        frame["file"] = short_file(frame.get("file") or "")
    return msgspec.json.encode(document)


def _is_function(name: str) -> bool:
    return _PROCESS.fullmatch(name) is None


def _name_of(frame: Frame) -> str:
    if frame.file:
        return f"{short_file(frame.file)}:{frame.name}"
    process = _PROCESS.fullmatch(frame.name)
    return process[1] if process else frame.name
