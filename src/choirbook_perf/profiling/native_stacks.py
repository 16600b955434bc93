"""Stacks of the kernel and of native code, from the text that `perf script` prints. Pure.

A function is named `symbol [component]`. A component is what somebody can act on: the kernel, Granian, the
interpreter, the C library, or an extension module by its package.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from choirbook_perf.profiling.stacks import Stack, Stacks

KERNEL, GRANIAN, INTERPRETER, LIBC = "kernel", "Granian", "Python interpreter", "libc"
UNKNOWN = "unknown"

_SAMPLE = re.compile(r"^(?P<comm>\S.*?)\s+(?P<pid>\d+)/\d+\s+(?P<event>\S+):\s*$")
_FRAME = re.compile(r"^\s+[0-9a-f]+ (?P<symbol>.+) \((?P<file>.*)\)$")
_NO_SYMBOL = "[unknown]"
_DELETED = " (deleted)"
_EVENT_OF_USER_CODE = re.compile(r":u[a-zH]*$")
_KERNEL = re.compile(r"^\[(kernel|guest\.kernel)|\.ko(\.\w+)?$|^\[\w+\]$")
_INTERPRETER = re.compile(r"/(libpython3[\d.]*\.so[\d.]*|python3[\d.]*)$")
_LIBC = re.compile(r"/(libc|libm|libpthread|ld-linux|ld-musl)[^/]*$")
_PACKAGE = re.compile(r"/(?:site-packages|dist-packages)/(\w+)")
_MODULE = re.compile(r"/([^/]+?)(?:\.cpython-[^/]*|\.abi3)?\.so[\d.]*$")


class NativeSamples(NamedTuple):
    """Samples of native code."""

    stacks: Stacks
    has_kernel: bool
    """Whether the kernel was sampled: without permission, perf records user code only."""


class ComponentShare(NamedTuple):
    """One component and its share of the samples."""

    component: str
    own: float
    """Share of all samples in code of the component, from 0 to 1."""


def parse(lines: Iterable[str]) -> NativeSamples:
    """Parse the output of `perf script -F comm,pid,tid,event,ip,sym,dso`."""
    found: Counter[Stack] = Counter()
    has_kernel = True
    for head, frames in _samples(lines):
        has_kernel = has_kernel and _EVENT_OF_USER_CODE.search(head["event"]) is None
        found[(f"process {head['pid']}", *_stack(frames))] += 1
    return NativeSamples(found, has_kernel)


def components_of(stacks: Stacks) -> list[ComponentShare]:
    """Return the share of each component, highest first."""
    total = sum(stacks.values())
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        found[_component_in(stack[-1])] += count
    return [ComponentShare(name, count / total) for name, count in found.most_common()]


def component_of(file: str) -> str:
    """Return the component that a file of code belongs to, such as `/usr/lib/libc.so.6`."""
    if _KERNEL.search(file) and file not in {"[vdso]", "[vsyscall]", "[heap]", "[stack]"}:
        return UNKNOWN if file == _NO_SYMBOL else KERNEL
    for pattern, name in ((_INTERPRETER, INTERPRETER), (_LIBC, LIBC)):
        if pattern.search(file):
            return name
    package = _PACKAGE.search(file) or _MODULE.search(file)
    if package is None:
        return UNKNOWN
    return GRANIAN if package[1] in {"granian", "_granian"} else package[1]


def _samples(lines: Iterable[str]) -> Iterator[tuple[re.Match[str], list[re.Match[str]]]]:
    head: re.Match[str] | None = None
    frames: list[re.Match[str]] = []
    for line in lines:
        if found := _SAMPLE.match(line):
            if head is not None:
                yield head, frames
            head, frames = found, []
        elif frame := _FRAME.match(line.rstrip("\n").replace(_DELETED, "")):
            frames.append(frame)
    if head is not None:
        yield head, frames


def _stack(frames: list[re.Match[str]]) -> Iterator[str]:
    """Name the frames, the outermost first; neighbours without a symbol become one."""
    last = ""
    for frame in reversed(frames):
        component = component_of(frame["file"])
        is_known = frame["symbol"] != _NO_SYMBOL
        # The start of a stack without symbols is where unwinding failed.
        if not is_known and component == UNKNOWN and not last:
            continue
        name = f"{frame['symbol'] if is_known else '(no symbol)'} [{component}]"
        if is_known or name != last:
            yield name
        last = name
    if not last:
        yield f"(no symbol) [{UNKNOWN}]"


def _component_in(function: str) -> str:
    return function.rpartition(" [")[2].removesuffix("]")
