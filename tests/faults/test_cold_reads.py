"""Promise 5: however many ask at once for what nobody has read, it is read once; whoever led may go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.conftest import NAMES
from tests.faults.documents import path_of
from tests.faults.figures import Figures
from tests.faults.judging import RAW, Answer, Judge
from tests.support.apps import Served, serving
from tests.support.sources import CountingSource, SlowSource
from tests.support.waiting import eventually

READERS = 1000
PATH = f"{path_of(NAMES[0])}?format=raw"


async def verified(served: Served) -> None:
    """Read the document once, and fail where it is not whole."""
    response = await served.client.get(PATH)
    answer = Answer(response.status_code, response.headers, response.content)
    Judge().judge(RAW, NAMES[0], answer, None)


async def test_cold_reads_of_one_document_are_one_load(root: Path, figures: Figures) -> None:
    source = CountingSource(root)
    async with serving(root, source=source) as served:
        outcomes = await asyncio.gather(*(verified(served) for _ in range(READERS)), return_exceptions=True)

    fault = f"{READERS:,} cold reads of one document at once"
    failed = [outcome for outcome in outcomes if outcome is not None]
    figures.hold(5, fault, "loads", source.reads, "loads", at_most=1)
    figures.hold(5, fault, "failed reads", len(failed), "reads", at_most=0, why=str(failed[:3]))


@pytest.mark.parametrize("leavers", [1, READERS // 2])
async def test_readers_whose_leader_gives_up_are_served(root: Path, leavers: int, figures: Figures) -> None:
    source = SlowSource(root)
    async with serving(root, source=source) as served:
        readers = [asyncio.create_task(verified(served)) for _ in range(READERS)]
        await eventually(lambda: source.reads == 1)
        for reader in readers[:leavers]:
            reader.cancel()
        source.gate.set()
        outcomes = await asyncio.gather(*readers[leavers:], return_exceptions=True)
        await asyncio.gather(*readers[:leavers], return_exceptions=True)

    fault = f"the first {leavers:,} of {READERS:,} readers of one load give up"
    failed = [outcome for outcome in outcomes if outcome is not None]
    figures.hold(5, fault, "failed reads of the others", len(failed), "reads", at_most=0, why=str(failed[:3]))
    figures.tell(5, fault, "loads", source.reads, "loads")
