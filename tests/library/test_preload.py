import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from choirbook.app import Application
from choirbook.catalog.catalog import Catalog
from choirbook.http.exchange import Request, Response
from choirbook.library.preload import USUAL_FORMS, Preloader
from choirbook.library.scanner import open_library
from choirbook.model import Reading, ServedFrom
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.settings import MIB, Settings

DEADLINE_S = 20.0


def plant(root: Path, count: int = 5, size: int = 2000) -> Path:
    (root / "python").mkdir(parents=True)
    (root / "sdlc-core.md").write_text("# Core\n\nRead this.\n")
    (root / "python" / "patterns-core.md").write_text("# Core patterns\n")
    for number in range(count):
        (root / f"doc-{number}.md").write_text(f"# Document {number}\n" + "x" * size)
    for path in root.rglob("*.md"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


@asynccontextmanager
async def serving(root: Path, **settings: Any) -> AsyncIterator[Application]:
    chosen = Settings(root=root, watch=False, rescan_s=60.0, **settings)
    source, rules = await asyncio.to_thread(open_library, root, chosen.max_document_bytes)
    descriptor = os.open(os.devnull, os.O_WRONLY)
    app = Application(chosen, source, Catalog(rules), SharedMetrics(), LineWriter(descriptor))
    async with app.lifespan():
        await app.library.wait_ready()
        yield app
    os.close(descriptor)


def readiness(app: Application) -> dict[str, Any]:
    answer = app.respond(Request("GET", "/readyz", "", Headers()))
    assert isinstance(answer, Response)
    decoded: dict[str, Any] = msgspec.json.decode(answer.body)
    return decoded


class Headers(dict[str, str]):
    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


async def preloaded(app: Application) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_S):
        while readiness(app)["preloading"]:  # noqa: ASYNC110 - it asks as a client of /readyz does
            await asyncio.sleep(0.01)
    return readiness(app)


async def test_every_usual_form_of_every_uri_is_a_hit_after_the_pass(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library"), preload=True) as app:
        state = await preloaded(app)
        infos = app.library.catalog.infos()
        for info in infos:
            for form in USUAL_FORMS:
                reading = app.library.read(info, form)
                assert isinstance(reading, Reading)
                assert reading.served_from is ServedFrom.HIT
    assert state["preloaded"] == len(infos)


async def test_aliases_are_preloaded_too(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library"), preload=True) as app:
        await preloaded(app)
        info = app.library.find("mcp://resources/patterns/core")
        assert info.uri != info.canonical_uri
        assert isinstance(app.library.read(info, USUAL_FORMS[0]), Reading)


async def test_without_it_nothing_is_read_ahead_nor_told(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library")) as app:
        assert "preloaded" not in readiness(app)
        assert len(app.library.memory) == 0


async def test_it_keeps_to_the_number_of_resources(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library"), preload=True, cache_max_resources=3) as app:
        state = await preloaded(app)
        assert state["preloaded"] == 3
        assert len(app.library.memory) == 3
        assert app.library.memory.evictions.total() == 0


async def test_it_keeps_to_the_bytes(tmp_path: Path) -> None:
    root = plant(tmp_path / "library", count=12, size=60_000)
    async with serving(root, preload=True, cache_max_bytes=MIB) as app:
        state = await preloaded(app)
        assert 0 < state["preloaded"] < len(app.library.catalog.infos())
        assert app.library.memory.size_bytes <= MIB
        assert app.library.memory.evictions.total() == 0


async def test_a_document_that_went_away_is_passed_over(tmp_path: Path) -> None:
    root = plant(tmp_path / "library")
    async with serving(root) as app:
        (root / "doc-0.md").unlink()
        told: list[int] = []
        preloader = Preloader(app.library, lambda: told.append(preloader.preloaded))
        preloader.start()
        await asyncio.wait_for(preloader.wait(), DEADLINE_S)
        assert preloader.preloaded == len(app.library.catalog.infos())
        assert told == [preloader.preloaded]
        assert not any("doc-0" in info.uri for info in app.library.catalog.infos())


async def test_a_reader_meanwhile_gets_its_document(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library", count=40), preload=True) as app:
        info = app.library.catalog.infos()[-1]
        outcome = app.library.read(info, USUAL_FORMS[0])
        reading = outcome if isinstance(outcome, Reading) else await outcome
        assert reading.representation.body.startswith(b"#")
        assert (await preloaded(app))["preloaded"] == len(app.library.catalog.infos())


async def test_a_stop_ends_it(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library", count=200)) as app:
        preloader = Preloader(app.library, lambda: None)
        await preloader.stop()
        await preloader.wait()
        preloader.start()
        assert preloader.is_running
        await preloader.stop()
        assert not preloader.is_running


async def test_its_reads_are_no_misses_of_a_client(tmp_path: Path) -> None:
    async with serving(plant(tmp_path / "library"), preload=True) as app:
        await preloaded(app)
        answer = app.respond(Request("GET", "/metrics", "", Headers()))
        assert not isinstance(answer, Response)
        page = await answer
        assert isinstance(page, Response)
        misses = [
            line for line in page.body.decode().splitlines() if line.startswith("mcp_resource_cache_mi")
        ]
        assert misses
        assert all(line.endswith(" 0.0") for line in misses)
