"""The load generator of a run in a terminal: its load, its floor, and whether it can be trusted."""

from __future__ import annotations

from rich.console import Console

from choirbook_perf.results import Floor, Generator


def show(generator: Generator) -> None:
    """Print what a reader of the figures has to know of the generator, on stdout."""
    console = Console(highlight=False)
    console.print(heading(generator), markup=False, soft_wrap=True)
    for warning in generator.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    for reason in generator.reasons:
        console.print(f"invalid: {reason}", style="bold red", markup=False, soft_wrap=True)


def heading(generator: Generator) -> str:
    """Describe a generator on one line."""
    parts = [f"generator {generator.name}: {load(generator)}"]
    parts += [f"{generator.connections_opened} connections"] if generator.connections_opened else []
    parts += [floor(generator.floor)] if generator.floor else []
    parts += [f"{generator.open_at_end} requests open at the end"] if generator.open_at_end else []
    return ", ".join([*parts, state(generator)])


def load(generator: Generator) -> str:
    """Describe the load."""
    if generator.model == "closed":
        return f"closed model, {generator.users} users"
    if generator.rate is not None:
        return f"open model, {generator.rate:g}/s, {generator.arrivals} arrivals"
    rates = ", ".join(f"{stage.duration_s:g} s at {stage.rate:g}/s" for stage in generator.stages)
    return f"open model, {rates}, {generator.arrivals} arrivals"


def floor(measured: Floor) -> str:
    """Describe the floor."""
    return (
        f"floor p50 {measured.p50_ms:.3g} p95 {measured.p95_ms:.3g} p99 {measured.p99_ms:.3g} ms "
        f"at {measured.rate:.0f}/s"
    )


def state(generator: Generator) -> str:
    """Describe whether the generator can be trusted."""
    if not generator.is_valid:
        return "invalid"
    return "valid" if generator.is_checked else "not checked"
