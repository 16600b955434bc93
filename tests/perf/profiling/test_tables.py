import msgspec

from choirbook_perf.profiling.profiles import CpuUse, LockShare, Native, Profile, Sampling
from choirbook_perf.profiling.tables import lock_sentence, residual_label, tables_of, waiting_sentence
from tests.perf.sample_results import sample_environment

SAMPLING = Sampling(
    duration_s=10,
    rate_hz=200,
    all_threads=False,
    samples=820,
    errors=0,
    fell_behind=False,
    load="",
    requests=0,
    cpu=CpuUse(window_s=10, user_s=6, system_s=4, waited_s=0.1),
    cpu_us_per_request=None,
    explained=0.41,
    locks=[LockShare("process 7", 0.41)],
    slowest=[],
)


def sampling(**changes: object) -> Sampling:
    return msgspec.structs.replace(SAMPLING, **changes)


def profile(**parts: object) -> Profile:
    base = Profile(started="2026-03-01T12:00:00Z", environment=sample_environment())
    return msgspec.structs.replace(base, **parts)


def test_residual_is_what_no_sample_explains() -> None:
    assert residual_label(SAMPLING) == "not in Python frames: kernel and native, 59.0%"
    assert residual_label(sampling(explained=1.3)) == "not in Python frames: kernel and native, 0.0%"


def test_residual_has_its_row_without_stages_and_without_a_load_too() -> None:
    told = tables_of(profile(sampling=SAMPLING, server="shelf 7"))
    assert "  59.0%  not in Python frames: kernel and native" in told
    assert "No stages are shown: they are Choirbook's, and this server is another one (shelf 7)." in told


def test_lock_is_told_by_process() -> None:
    two = [LockShare("process 8", 0.5), LockShare("process 7", 0.25)]
    assert lock_sentence(SAMPLING) == "Python's lock was held 41.0% of the time."
    assert (
        lock_sentence(sampling(locks=two))
        == "Python's lock was held 50.0%, 25.0% of the time, by 2 processes."
    )
    assert "No process held" in lock_sentence(sampling(locks=[]))
    assert "not measured" in lock_sentence(sampling(locks=[], all_threads=True))


def test_waiting_for_a_core_is_told_if_it_is_much() -> None:
    assert waiting_sentence(CpuUse(window_s=10, user_s=6, system_s=4, waited_s=1.9)) == ""
    assert "waited 2.10 s" in waiting_sentence(CpuUse(window_s=10, user_s=6, system_s=4, waited_s=2.1))


def test_stacks_that_could_not_be_read_are_told() -> None:
    assert "could not keep up" in tables_of(profile(sampling=sampling(fell_behind=True)))
    assert "could not read 3 further stacks" in tables_of(profile(sampling=sampling(errors=3)))


def test_reason_stands_for_a_missing_native_profile() -> None:
    native = Native(problem="perf is not installed.")
    assert tables_of(profile(native=native)) == "No native profile: perf is not installed."
