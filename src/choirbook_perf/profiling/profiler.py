"""Profiling of a running server under load, and the cost of each stage of a read, from Choirbook."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from choirbook_perf.environment import environment
from choirbook_perf.errors import OutputFailed, ToolMissing
from choirbook_perf.output import write_text
from choirbook_perf.profiling import cpu, linux_perf, memory, native_stacks, pyspy
from choirbook_perf.profiling.flamegraph import svg_of
from choirbook_perf.profiling.load import is_choirbook
from choirbook_perf.profiling.profiled_server import Options, ProfiledServer, loadable, own_server, subject_of
from choirbook_perf.profiling.profiles import (
    SLOWEST,
    Component,
    CountedDrive,
    CpuUse,
    LockShare,
    Memory,
    Native,
    Profile,
    Sampling,
    Stage,
)
from choirbook_perf.profiling.stacks import (
    NATIVE,
    Stacks,
    decode_speedscope,
    samples_by_process,
    shares_of,
    speedscope_of,
    speedscope_without_places,
    stacks_of,
)
from choirbook_perf.profiling.tables import RESIDUAL

SVG_NAME, SPEEDSCOPE_NAME, RESULT_NAME = "profile.svg", "profile.speedscope.json", "profile.json"
NATIVE_SVG_NAME, NATIVE_SPEEDSCOPE_NAME = "native.svg", "native.speedscope.json"


class _Stages(msgspec.Struct, frozen=True):
    document_bytes: int = 0
    stages: list[Stage] = []


class _Calls(msgspec.Struct, frozen=True):
    drives: list[CountedDrive]


_Told = TypeVar("_Told", _Stages, _Calls)


def sample(options: Options) -> Profile:
    """Sample a server, write flame graphs and speedscope files, and measure the stages of a Choirbook.

    Raises:
        PerfError: A tool is missing or lacks permission, there is no such process or server, or the files
            cannot be written.
    """
    # Before a server is started and loaded for nothing.
    pyspy.find_py_spy()
    if options.memory:
        memory.require_memray()
    _make_directory(options.out)
    started = _now()
    here = environment()
    with subject_of(options) as subject:
        sampling = _sample(options, subject)
        native = _native(options, subject) if options.native else None
        allocated = _attached_memory(options, subject) if options.memory and options.pid is not None else None
    if options.memory and options.pid is None:
        allocated = _memory_from_start(options)
    # Afterwards, so that neither disturbs the other. The stages are Choirbook's: they say nothing of others.
    measured = _ask_choirbook(_Stages) if is_choirbook(subject.name) else _Stages()
    return Profile(
        started=started,
        environment=here,
        server=subject.name,
        sampling=sampling,
        native=native,
        memory=allocated,
        stages=measured.stages,
        document_bytes=measured.document_bytes,
    )


def count(requests: int) -> Profile:
    """Count the calls of `requests` requests of each kind, and measure the stages."""
    started = _now()
    here = environment()
    counted = _ask_choirbook(_Calls, "--calls", str(requests))
    measured = _ask_choirbook(_Stages)
    return Profile(
        started=started,
        environment=here,
        server="choirbook",
        stages=measured.stages,
        document_bytes=measured.document_bytes,
        calls=counted.drives,
    )


def _sample(options: Options, subject: ProfiledServer) -> Sampling:
    how = pyspy.Recording(options.duration_s, options.rate_hz, options.all_threads)
    with tempfile.TemporaryDirectory(prefix="choirbook-profile-") as directory:
        path = Path(directory) / SPEEDSCOPE_NAME
        with subject.loaded() as work:
            recorded = pyspy.record(subject.pid, path, how)
        data = path.read_bytes()
    stacks = stacks_of(decode_speedscope(data))
    seconds_per_sample = recorded.window_s / how.intervals
    in_python_s = sum(number for stack, number in stacks.items() if stack[-1] != NATIVE) * seconds_per_sample
    sampling = Sampling(
        duration_s=options.duration_s,
        rate_hz=options.rate_hz,
        all_threads=options.all_threads,
        samples=recorded.samples,
        errors=recorded.errors,
        fell_behind=recorded.fell_behind,
        load=subject.words,
        requests=work.requests,
        cpu=_cpu_use(recorded.cpu, recorded.window_s),
        cpu_us_per_request=work.cpu_us_per_request,
        # py-spy looks by the clock: a thread that waits for a core is seen as often as one that has it.
        explained=_ratio(in_python_s, recorded.cpu.runnable_s),
        locks=[] if options.all_threads else _locks(stacks, how.intervals),
        slowest=shares_of(stacks)[:SLOWEST],
    )
    write_text(options.out / SPEEDSCOPE_NAME, speedscope_without_places(data).decode())
    write_text(options.out / SVG_NAME, svg_of(stacks, "choirbook perf profile", _python_note(sampling)))
    return sampling


def _python_note(sampling: Sampling) -> str:
    return (
        f"{sampling.samples:,} samples of Python frames: {sampling.explained:.1%} of the server's CPU time. "
        f"Not shown: {RESIDUAL.removeprefix('not in Python frames: ')}, {sampling.residual:.1%}."
    )


def _locks(stacks: Stacks, intervals: int) -> list[LockShare]:
    return [LockShare(name, number / intervals) for name, number in samples_by_process(stacks).items()]


def _native(options: Options, subject: ProfiledServer) -> Native:
    try:
        linux_perf.find_perf()
        with subject.loaded() as work:
            recorded = linux_perf.record(subject.pid, options.duration_s, options.rate_hz)
    except ToolMissing as refusal:
        # The Python profile and the CPU time from /proc are worth having without it.
        return Native(problem=refusal.message)
    stacks = recorded.native.stacks
    samples = sum(stacks.values())
    native = Native(
        note=recorded.note,
        samples=samples,
        has_kernel=recorded.native.has_kernel,
        requests=work.requests,
        cpu=_cpu_use(recorded.cpu, recorded.window_s),
        explained=_ratio(samples / options.rate_hz, recorded.cpu.total_s),
        components=[Component(*each) for each in native_stacks.components_of(stacks)],
        slowest=shares_of(stacks)[:SLOWEST],
    )
    note = f"{samples:,} samples: {native.explained:.1%} of the server's CPU time. {native.note}"
    write_text(options.out / NATIVE_SPEEDSCOPE_NAME, speedscope_of(stacks, "native").decode())
    write_text(options.out / NATIVE_SVG_NAME, svg_of(stacks, "choirbook perf profile --native", note))
    return native


def _memory_from_start(options: Options) -> Memory:
    with tempfile.TemporaryDirectory(prefix="choirbook-memory-") as directory:
        with (
            own_server(options, memory.running_under(Path(directory))) as server,
            loadable(options, server.pid, server.url) as subject,
            subject.loaded() as work,
        ):
            time.sleep(options.duration_s)
        return Memory(
            since="start", load=subject.words, requests=work.requests, processes=memory.read(Path(directory))
        )


def _attached_memory(options: Options, subject: ProfiledServer) -> Memory:
    with tempfile.TemporaryDirectory(prefix="choirbook-memory-") as directory:
        with memory.attached(subject.pid, Path(directory)), subject.loaded() as work:
            time.sleep(options.duration_s)
        return Memory(
            since="attach", load=subject.words, requests=work.requests, processes=memory.read(Path(directory))
        )


def _cpu_use(spent: cpu.CpuTime, window_s: float) -> CpuUse:
    return CpuUse(window_s=window_s, user_s=spent.user_s, system_s=spent.system_s, waited_s=spent.waited_s)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _ask_choirbook(kind: type[_Told], *flags: str) -> _Told:
    command = [sys.executable, "-P", "-m", "choirbook", "stages", "--json", *flags]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own command line
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolMissing(f"'choirbook stages' failed: {told[-1] if told else 'no output'}")
    return msgspec.json.decode(done.stdout, type=kind)


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(
            f"{path} cannot be created: {error.strerror}. Choose another directory with --out."
        ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
