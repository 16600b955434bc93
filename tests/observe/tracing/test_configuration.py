from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.observe.tracing.configuration import Exporter, Sampling, TracingConfiguration, plan_of
from choirbook.observe.tracing.context import TraceContext

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def plan(**variables: str) -> TracingConfiguration:
    found = plan_of(ENDPOINT | variables)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "standards"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
        ENDPOINT | {"OTEL_TRACES_SAMPLER": "always_off"},
    ],
)
def test_without_a_collector_or_when_told_so_there_are_no_traces(environment: Mapping[str, str]) -> None:
    assert plan_of(environment) is None


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        (ENDPOINT, (Exporter.OTLP_HTTP,)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, (Exporter.OTLP_HTTP,)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, (Exporter.OTLP_HTTP,)),
        ({"OTEL_TRACES_EXPORTER": "console"}, (Exporter.CONSOLE,)),
        ({"OTEL_TRACES_EXPORTER": "otlp, console,otlp"}, (Exporter.OTLP_HTTP, Exporter.CONSOLE)),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, (Exporter.OTLP_HTTP,)),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (Exporter.OTLP_GRPC,)),
        (
            ENDPOINT
            | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            (Exporter.OTLP_HTTP,),
        ),
    ],
)
def test_traces_go_where_the_environment_says(
    environment: Mapping[str, str], exporters: tuple[Exporter, ...]
) -> None:
    found = plan_of(environment)
    assert found is not None
    assert (found.exporters, found.complaints) == (exporters, ())


@pytest.mark.parametrize(
    ("sampler", "argument", "sampling"),
    [
        ("", "", Sampling(1.0)),
        ("", "0.5", Sampling(1.0)),
        ("always_on", "", Sampling(1.0, follows_parent=False)),
        ("traceidratio", "0.25", Sampling(0.25, follows_parent=False)),
        ("parentbased_always_on", "0.1", Sampling(1.0)),
        ("parentbased_always_off", "", Sampling(0.0)),
        ("ParentBased_TraceIdRatio", " 0.1 ", Sampling(0.1)),
        ("parentbased_traceidratio", "", Sampling(1.0)),
    ],
)
def test_the_sampler_is_the_one_that_is_named(sampler: str, argument: str, sampling: Sampling) -> None:
    found = plan(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    assert (found.sampling, found.complaints) == (sampling, ())


@pytest.mark.parametrize(
    ("variables", "about"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp,zipkin"}, "OTEL_TRACES_EXPORTER has 'zipkin'"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'"),
        ({"OTEL_TRACES_SAMPLER": "xray"}, "OTEL_TRACES_SAMPLER is 'xray'"),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "a tenth"},
            "OTEL_TRACES_SAMPLER_ARG is 'a tenth'",
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "nan"},
            "OTEL_TRACES_SAMPLER_ARG is 'nan'",
        ),
    ],
)
def test_what_is_not_known_is_told_and_passed_over(variables: dict[str, str], about: str) -> None:
    found = plan(**variables)
    assert found.exporters == (Exporter.OTLP_HTTP,)
    assert found.sampling.ratio == 1.0
    assert [complaint.startswith(about) for complaint in found.complaints] == [True]


def test_callers_are_believed_unless_the_propagators_say_otherwise() -> None:
    assert plan().reads_context
    assert plan(OTEL_PROPAGATORS="b3, tracecontext").reads_context
    assert not plan(OTEL_PROPAGATORS="none").reads_context


def caller(*, is_sampled: bool, trace_id: int = 1) -> TraceContext:
    return TraceContext(trace_id, 1, is_sampled)


def test_a_caller_decides_where_it_is_followed() -> None:
    for ratio in (0.0, 1.0):
        assert Sampling(ratio).takes(caller(is_sampled=True))
        assert not Sampling(ratio).takes(caller(is_sampled=False))


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_a_caller_that_is_not_followed_is_taken_by_its_trace_as_the_sdk_does(
    trace_id: int, ratio: float
) -> None:
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "").decision.is_sampled()
    ours = Sampling(ratio, follows_parent=False).takes(caller(is_sampled=False, trace_id=trace_id))
    assert ours == theirs


def test_of_what_begins_here_a_part_is_taken() -> None:
    assert all(Sampling(1.0).takes(None) for _ in range(1000))
    assert not any(Sampling(0.0).takes(None) for _ in range(1000))
    assert 300 < sum(Sampling(0.5).takes(None) for _ in range(1000)) < 700


@given(st.dictionaries(st.sampled_from(sorted(ENDPOINT)), st.text()), st.text())
def test_any_text_makes_a_plan_or_none(variables: dict[str, str], text: str) -> None:
    names = ("SAMPLER", "SAMPLER_ARG", "EXPORTER")
    plan_of(variables | {f"OTEL_TRACES_{name}": text for name in names} | {"OTEL_PROPAGATORS": text})
