"""Tables that `choirbook perf profile` prints. Pure."""

from __future__ import annotations

from choirbook_perf import figures
from choirbook_perf.profiling.profiles import (
    SLOWEST,
    CountedDrive,
    CpuUse,
    Memory,
    Native,
    ProcessMemory,
    Profile,
    Sampling,
)
from choirbook_perf.profiling.stacks import FunctionShare

IN_PYTHON = "in Python frames"
RESIDUAL = "not in Python frames: kernel and native"
NOT_CHOIRBOOK = "No stages are shown: they are Choirbook's, and this server is another one"
MUCH_WAITING = 0.2
"""A server that waited for a core for more than this share of its CPU time is worth a sentence."""


def tables_of(profile: Profile) -> str:
    """Format all tables as text."""
    tables = []
    if profile.sampling is not None:
        tables.append(_sampling_table(profile.sampling))
    if profile.native is not None:
        tables.append(_native_table(profile.native))
    if profile.memory is not None:
        tables.append(_memory_table(profile.memory))
    tables += [_calls_table(drive) for drive in profile.calls]
    if profile.stages:
        tables.append(_stage_table(profile))
    elif profile.sampling is not None:
        tables.append(f"{NOT_CHOIRBOOK} ({profile.server or 'it reports no name'}).")
    return "\n\n".join(tables)


def residual_label(sampling: Sampling) -> str:
    """Name the row with the CPU time that no Python frame explains."""
    return f"{RESIDUAL}, {sampling.residual:.1%}"


def lock_sentence(sampling: Sampling) -> str:
    """Say how long the interpreter's lock was held, by each process that held it."""
    if sampling.all_threads:
        return "How long Python's lock was held is not measured with --all-threads."
    if not sampling.locks:
        return "No process held Python's lock when it was sampled."
    if len(sampling.locks) == 1:
        return f"Python's lock was held {sampling.locks[0].held:.1%} of the time."
    each = ", ".join(f"{one.held:.1%}" for one in sampling.locks)
    return f"Python's lock was held {each} of the time, by {len(sampling.locks)} processes."


def waiting_sentence(cpu: CpuUse) -> str:
    """Warn if the server often had to wait for a core, else return ""."""
    if cpu.waited_s <= MUCH_WAITING * cpu.total_s:
        return ""
    return (
        f"The server waited {cpu.waited_s:.2f} s for a core, which makes the shares uncertain: profile on a "
        "machine with a free core."
    )


def _sampling_table(sampling: Sampling) -> str:
    under = f" under {sampling.load}, {sampling.requests:,} requests" if sampling.load else ""
    rows = [f"{sampling.samples:,} samples in {sampling.duration_s:g} s{under}", ""]
    rows += _cpu_rows(sampling.cpu)
    rows += [f"{sampling.explained:>7.1%}  {IN_PYTHON}", f"{sampling.residual:>7.1%}  {RESIDUAL}"]
    rows.append(lock_sentence(sampling))
    if sampling.fell_behind:
        rows.append("py-spy could not keep up, so the shares are uncertain: lower --rate.")
    if sampling.errors:
        rows.append(f"py-spy could not read {sampling.errors:,} further stacks.")
    rows += _functions(sampling.slowest, "Python functions")
    return "\n".join(rows)


def _cpu_rows(cpu: CpuUse) -> list[str]:
    parts = f"user {cpu.user_s:.2f} s, kernel {cpu.system_s:.2f} s"
    rows = [f"CPU time of the server: {cpu.total_s:.2f} s in {cpu.window_s:.2f} s, {parts}"]
    waiting = waiting_sentence(cpu)
    return [*rows, waiting] if waiting else rows


def _functions(slowest: list[FunctionShare], of: str) -> list[str]:
    rows = ["", f"{'own':>7}{'total':>10}  the {len(slowest)} slowest {of}"]
    return rows + [f"{each.own:>7.1%}{each.cumulative:>10.1%}  {each.function}" for each in slowest]


def _native_table(native: Native) -> str:
    if native.problem or native.cpu is None:
        return f"No native profile: {native.problem}"
    rows = [f"{native.samples:,} native samples by perf, {native.requests:,} requests", ""]
    rows += _cpu_rows(native.cpu)
    rows.append(
        f"{native.explained:>7.1%}  explained by the samples" + (f". {native.note}" if native.note else "")
    )
    rows += ["", f"{'own':>7}  component"]
    rows += [f"{each.own:>7.1%}  {each.component}" for each in native.components]
    return "\n".join(rows + _functions(native.slowest, "native functions"))


def _memory_table(memory: Memory) -> str:
    under = f" under {memory.load}, {memory.requests:,} requests" if memory.load else ""
    since = "since the start" if memory.since == "start" else "since memray attached, not before"
    head = [f"Memory allocated {since}{under}"]
    return "\n".join(head + [row for process in memory.processes for row in _memory_rows(process)])


def _memory_rows(process: ProcessMemory) -> list[str]:
    in_all = f"{figures.bytes_(process.allocated_bytes)} in {process.allocations:,} allocations in all"
    rows = [
        "",
        f"{process.process}: {figures.bytes_(process.peak_bytes)} at the peak, {in_all}",
        f"{'at peak':>12}{'in all':>12}{'allocations':>13}  function",
    ]
    return rows + [
        f"{figures.bytes_(each.peak_bytes):>12}{figures.bytes_(each.allocated_bytes):>12}"
        f"{each.allocations:>13,}  {each.function}"
        for each in process.functions
    ]


def _calls_table(drive: CountedDrive) -> str:
    rows = [f"{drive.request}: calls per request, counted over {drive.requests:,}", ""]
    rows.append(f"{'calls':>7}{'own us':>9}{'total us':>10}  function (counting inflates the times)")
    rows += [
        f"{each.calls_per_request:>7.2f}{each.own_us:>9.2f}{each.cumulative_us:>10.2f}  {each.function}"
        for each in drive.functions[:SLOWEST]
    ]
    return "\n".join(rows)


def _stage_table(profile: Profile) -> str:
    rows = [f"Stages of a read of {profile.document_bytes:,} bytes", ""]
    rows.append(f"{'':<32}{'us':>9}{'quartiles':>20}  measured")
    for stage in profile.stages:
        quartiles = f"{stage.low_us:.2f}-{stage.high_us:.2f}"
        rows.append(f"{stage.path + ': ' + stage.stage:<32}{stage.us:>9.2f}{quartiles:>20}  {stage.measures}")
    return "\n".join(rows + _residual_rows(profile.sampling))


def _residual_rows(sampling: Sampling | None) -> list[str]:
    if sampling is None:
        return []
    us = sampling.cpu_us_per_request
    rows = [
        ("under load: all", 1.0, "CPU time of the server for a request, from /proc"),
        (f"under load: {IN_PYTHON}", sampling.explained, "share of the samples"),
        (f"under load: {residual_label(sampling)}", sampling.residual, "the rest"),
    ]
    width = max(len(name) for name, _, _ in rows)
    shown = [figures.MISSING if us is None else f"{us * share:.2f}" for _, share, _ in rows]
    return ["", f"{'':<{width}}{'us':>9}  measured"] + [
        f"{name:<{width}}{cell:>9}  {measures}" for (name, _, measures), cell in zip(rows, shown, strict=True)
    ]
