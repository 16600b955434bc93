import asyncio
import gc
import time

from choirbook.observe.exposition import exposition
from choirbook.observe.recorder import Recorder
from choirbook.observe.runtime_metrics import PROBE_S, RuntimeMetrics
from choirbook.observe.shared_metrics import SharedMetrics
from tests.support.metering import value
from tests.support.waiting import eventually


async def shown(cells: SharedMetrics) -> str:
    return (await asyncio.to_thread(exposition, cells)).decode()


async def test_a_blocked_loop_shows_in_the_lag() -> None:
    cells = SharedMetrics()
    runtime_metrics = RuntimeMetrics(lambda: None)
    runtime_metrics.start(Recorder(cells.claim(), []))
    # The loop is blocked by something else while a probe is due.
    end_s = time.monotonic() + 3 * PROBE_S
    while time.monotonic() < end_s:
        pass

    async def lags(le: str) -> float:
        runtime_metrics.write()
        return value(await shown(cells), "choirbook_event_loop_lag_seconds_bucket", le=le)

    async def noted() -> bool:
        return await lags("+Inf") > await lags("0.1")

    await eventually(noted)
    runtime_metrics.stop()


async def test_every_second_the_figures_are_written_without_being_asked_for() -> None:
    cells, turned = SharedMetrics(), asyncio.Event()
    runtime_metrics = RuntimeMetrics(turned.set)
    runtime_metrics.start(Recorder(cells.claim(), []))
    async with asyncio.timeout(20):
        await turned.wait()
    assert value(await shown(cells), "choirbook_event_loop_lag_seconds_count") >= 1
    runtime_metrics.stop()


async def test_what_the_parent_used_is_not_counted_and_what_the_worker_uses_is() -> None:
    cells = SharedMetrics()
    gc.collect()
    runtime_metrics = RuntimeMetrics(lambda: None)
    runtime_metrics.start(Recorder(cells.claim(), []))
    full = {"generation": "2"}
    assert value(await shown(cells), "python_gc_collections_total", **full) == 0
    began_s = value(await shown(cells), "process_cpu_seconds_total")
    assert 0 <= began_s < time.process_time()
    gc.collect()
    runtime_metrics.stop()
    text = await shown(cells)
    assert value(text, "python_gc_collections_total", **full) >= 1
    assert value(text, "process_cpu_seconds_total") > began_s


async def test_nothing_is_written_once_it_has_stopped() -> None:
    cells = SharedMetrics()
    runtime_metrics = RuntimeMetrics(lambda: None)
    runtime_metrics.start(Recorder(cells.claim(), []))
    runtime_metrics.stop()
    before = value(await shown(cells), "process_cpu_seconds_total")
    gc.collect()
    runtime_metrics.write()
    assert value(await shown(cells), "process_cpu_seconds_total") == before
