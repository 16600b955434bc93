"""Section about the load generator: its load, its floor, and whether its figures can be trusted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from markupsafe import Markup

from choirbook_perf import figures, generator_summary
from choirbook_perf.report.parts import Section, note, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.results import Generator, Phase, Result


def generators(subjects: Sequence[Subject]) -> Section:
    """Describe the generators, one column per result, and the phases of each run."""
    described = [_described(subject.result) for subject in subjects]
    keys = list(dict.fromkeys(key for one in described for key in one))
    rows = [(key, *(one.get(key) or figures.MISSING for one in described)) for key in keys]
    columns = table(
        "Load and load generator of each run",
        ("", *(one.name for one in subjects)),
        rows,
        texts=1 + len(subjects),
    )
    told = [note(text) for subject in subjects for text in _notes(subject)]
    return section("generator", "Load generator", *told, columns, *map(_phases, _with_phases(subjects)))


def _notes(subject: Subject) -> list[str]:
    generator = subject.result.generator
    invalid = [f"{subject.name} is not valid. {reason}" for reason in generator.reasons]
    return [*invalid, *(f"{subject.name}: {warning}" for warning in generator.warnings)]


def _described(result: Result) -> dict[str, str]:
    generator = result.generator
    raw, judged = result.histogram(), result.histogram("judged_counts")
    is_corrected = len(raw) != len(judged)
    p95 = f"{figures.significant(raw.percentile_ms(95))} ms"
    corrected = f"{figures.significant(judged.percentile_ms(95))} ms" if is_corrected else ""
    return {
        "Generator": generator.name,
        "State": generator_summary.state(generator),
        "Load": generator_summary.load(generator),
        "Floor": generator_summary.floor(generator.floor) if generator.floor else "",
        "Connections opened": figures.whole(generator.connections_opened) if generator.is_checked else "",
        "Requests open at the end": figures.whole(generator.open_at_end) if generator.is_checked else "",
        "Requests not sent (--max-in-flight)": figures.whole(generator.unsent) if generator.unsent else "",
        "Requests that users were held back from": figures.whole(generator.held_back) if is_corrected else "",
        "p95, raw": p95 if is_corrected else "",
        "p95, corrected": corrected,
        **_health(generator),
    }


def _health(generator: Generator) -> dict[str, str]:
    rows = generator.health
    if not rows:
        return {}
    sent = sum(row.sent for row in rows)
    waits = [row.wait_ms for row in rows if row.wait_ms is not None]
    psi = [row.psi for row in rows if row.psi is not None]
    steal = [row.steal for row in rows if row.steal is not None]
    idle = [row.idle for row in rows if row.idle is not None]
    return {
        "CPU of the generator, of one core": figures.percent(fmean(row.cpu for row in rows)),
        "Wait for a core": figures.percent(fmean(waits) / 1000) if waits else "",
        "Longest delay of its timer": f"{figures.significant(max(row.lag_ms for row in rows))} ms",
        "Requests sent late": figures.percent(sum(row.late for row in rows) / sent) if sent else "",
        "Longest garbage collection": f"{figures.significant(max(row.gc_ms for row in rows))} ms",
        "Pressure on the machine's cores (PSI)": figures.percent(fmean(psi)) if psi else "",
        "Its cores idle": figures.percent(fmean(idle)) if idle else "",
        "Time taken by the hypervisor": figures.percent(fmean(steal)) if steal else "",
    }


def _with_phases(subjects: Sequence[Subject]) -> list[Subject]:
    return [subject for subject in subjects if len(subject.result.phases) > 1]


def _phases(subject: Subject) -> Markup:
    head = ("Phase", "Start, s", "Length, s", "Rate asked", "Requests", "Failed", "p50", "p95", "p99")
    rows = [_phase(phase) for phase in subject.result.phases]
    return table(f"Phases of {subject.name}, latencies in milliseconds", head, rows)


def _phase(phase: Phase) -> list[str]:
    return [
        phase.name if phase.kind == "measured" else f"{phase.name} (not counted)",
        figures.significant(phase.start_s),
        figures.significant(phase.duration_s),
        figures.significant(phase.rate),
        figures.whole(phase.requests),
        figures.whole(phase.failures),
        *map(figures.milliseconds, (phase.p50_ms, phase.p95_ms, phase.p99_ms)),
    ]
