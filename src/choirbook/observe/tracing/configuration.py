"""Configuration of traces from the standard environment variables, and nothing else. Pure.

Source: OpenTelemetry specification, "Environment Variable Specification". Variables that the SDK reads
(endpoint, headers, time-outs, certificates, limits of the batch processor, the resource) are not examined
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from random import random
from typing import NamedTuple

from choirbook.observe.tracing.context import TraceContext

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TRACE_ID_BITS = 64
"""Bits of a trace id that are compared with a ratio, as in the SDK."""


class Exporter(StrEnum):
    """Destination of traces."""

    OTLP_HTTP = "otlp over http/protobuf"
    OTLP_GRPC = "otlp over grpc"
    CONSOLE = "console"
    """stderr: stdout may belong to the protocol."""

    @property
    def label(self) -> str:
        """Label in metrics: its name in `OTEL_TRACES_EXPORTER`."""
        return "console" if self is Exporter.CONSOLE else "otlp"


class Sampling(NamedTuple):
    """Sampling rules."""

    ratio: float = 1.0
    """Fraction of requests without a parent to trace, from 0 to 1."""
    follows_parent: bool = True
    """Whether the caller's decision is followed, if there is one."""

    def takes(self, context: TraceContext | None) -> bool:
        """Decide about a request.

        Args:
            context: Context of the caller; None if the request begins a trace.
        """
        if context is None:
            return random() < self.ratio  # noqa: S311 - nothing secret depends on it
        if self.follows_parent:
            return context.is_sampled
        low = context.trace_id & ((1 << _TRACE_ID_BITS) - 1)
        return low < round(self.ratio * (1 << _TRACE_ID_BITS))


class TracingConfiguration(NamedTuple):
    """Tracing configuration from the environment."""

    exporters: tuple[Exporter, ...]
    sampling: Sampling = Sampling()
    reads_context: bool = True
    complaints: tuple[str, ...] = ()
    """Warnings about unknown values, for the operator log."""


_SAMPLERS = {
    "always_on": Sampling(1.0, follows_parent=False),
    "traceidratio": Sampling(1.0, follows_parent=False),
    "parentbased_always_on": Sampling(1.0),
    "parentbased_always_off": Sampling(0.0),
    "parentbased_traceidratio": Sampling(1.0),
}


def plan_of(environment: Mapping[str, str]) -> TracingConfiguration | None:
    """Read the environment; None if traces are disabled.

    An empty variable counts as unset, and so does an invalid one, with a warning.
    """
    wanted = {name: value.strip() for name, value in environment.items() if value.strip()}
    if wanted.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    sampler = wanted.get("OTEL_TRACES_SAMPLER", "").lower()
    complaints: list[str] = []
    exporters = _exporters(wanted, complaints)
    if not exporters or sampler == "always_off":
        return None
    sampling = _sampling(sampler, wanted, complaints)
    propagators = _names(wanted.get("OTEL_PROPAGATORS", "tracecontext,baggage"))
    return TracingConfiguration(exporters, sampling, "tracecontext" in propagators, tuple(complaints))


def _exporters(wanted: Mapping[str, str], complaints: list[str]) -> tuple[Exporter, ...]:
    names = _names(wanted.get("OTEL_TRACES_EXPORTER", ""))
    if not names:
        # An endpoint enables traces; without one there are none.
        names = ["otlp"] if any(name in wanted for name in _ENDPOINTS) else []
    if "none" in names:
        return ()
    known = {"otlp": _otlp(wanted, complaints) if "otlp" in names else None, "console": Exporter.CONSOLE}
    complaints += [
        f"OTEL_TRACES_EXPORTER has {name[:32]!r}, which Choirbook does not support. Use otlp, console or "
        "none."
        for name in names
        if name not in known
    ]
    return tuple(dict.fromkeys(found for name in names if (found := known.get(name)) is not None))


def _otlp(wanted: Mapping[str, str], complaints: list[str]) -> Exporter:
    protocol = next((wanted[name].lower() for name in _PROTOCOLS if name in wanted), "http/protobuf")
    if protocol not in {"grpc", "http/protobuf"}:
        complaints.append(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol[:32]!r}, which Choirbook does not support. Set "
            "http/protobuf or grpc; using http/protobuf."
        )
    return Exporter.OTLP_GRPC if protocol == "grpc" else Exporter.OTLP_HTTP


def _sampling(sampler: str, wanted: Mapping[str, str], complaints: list[str]) -> Sampling:
    if sampler and sampler not in _SAMPLERS:
        complaints.append(
            f"OTEL_TRACES_SAMPLER is {sampler[:32]!r}, which Choirbook does not support. Set one of: "
            f"always_off, {', '.join(_SAMPLERS)}; using parentbased_always_on."
        )
    sampling = _SAMPLERS.get(sampler, Sampling())
    if not sampler.endswith("traceidratio") or "OTEL_TRACES_SAMPLER_ARG" not in wanted:
        return sampling
    argument = wanted["OTEL_TRACES_SAMPLER_ARG"]
    try:
        ratio = float(argument)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        complaints.append(f"OTEL_TRACES_SAMPLER_ARG is {argument[:32]!r}. Set a number from 0 to 1; using 1.")
        return sampling
    return sampling._replace(ratio=ratio)


def _names(text: str) -> list[str]:
    return [name.strip().lower() for name in text.split(",") if name.strip()]
