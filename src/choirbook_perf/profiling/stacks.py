"""Time per function, from sampled stacks. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput

NATIVE = "(native threads, no Python code)"
"""Samples without any Python frame: in a Choirbook, the threads on which Granian parses and sends HTTP."""

# Name of a process when py-spy follows child processes: a frame below all others, with a command line.
_PROCESS = re.compile(r"process \d+:?")
_PROCESS_TITLE = re.compile(r"(process \d+):&quot;.*?&quot;(?=[ <])")
_TITLE = re.compile(r'(<text id="title"[^>]*>).*?(</text>)', re.DOTALL)
_PLACES = re.compile(r".*/(?:site-packages|dist-packages|src|lib/python3\.\d+)/")


class Frame(msgspec.Struct, frozen=True):
    """One function, or one line of it."""

    name: str
    file: str | None = None
    line: int | None = None


class _Shared(msgspec.Struct, frozen=True):
    frames: list[Frame]


class _Thread(msgspec.Struct, frozen=True):
    samples: list[list[int]]
    weights: list[float]


class Speedscope(msgspec.Struct, frozen=True):
    """The needed parts of a speedscope file (https://www.speedscope.app/file-format-schema.json)."""

    shared: _Shared
    profiles: list[_Thread]


class FunctionShare(msgspec.Struct, frozen=True):
    """One function and its share of the time."""

    function: str
    """`file:name`, the file without its directory on this machine."""
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


def shares_of(profile: Speedscope) -> list[FunctionShare]:
    """Return every function with its share, the highest own share first."""
    own: dict[str, float] = defaultdict(float)
    cumulative: dict[str, float] = defaultdict(float)
    total = 0.0
    names = [_name_of(frame) for frame in profile.shared.frames]
    for thread in profile.profiles:
        for stack, weight in zip(thread.samples, thread.weights, strict=True):
            functions = [name for index in stack if (name := names[index])] or [NATIVE]
            total += weight
            own[functions[-1]] += weight
            # A recursive function counts once.
            for function in set(functions):
                cumulative[function] += weight
    found = [
        FunctionShare(name, own[name] / total, part / total) for name, part in cumulative.items() if total
    ]
    return sorted(found, key=lambda share: (-share.own, -share.cumulative, share.function))


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


def svg_without_places(text: str) -> str:
    """Return a flame graph without the command lines of this machine; its source files are short already."""
    text = _TITLE.sub(r"\1choirbook perf profile\2", text)
    return _PROCESS_TITLE.sub(r"\1", text)


def _name_of(frame: Frame) -> str:
    if not frame.file and _PROCESS.match(frame.name):
        return ""
    return f"{short_file(frame.file)}:{frame.name}" if frame.file else frame.name
