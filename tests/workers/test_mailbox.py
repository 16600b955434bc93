import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

from choirbook.workers.mailbox import Bell
from tests.support.waiting import eventually

PROGRAM = """
import sys, pathlib
from choirbook.workers.mailbox import Bell
bell = Bell(pathlib.Path(sys.argv[1]))
print(bell.name, flush=True)
sys.stdin.read()
"""


async def test_what_one_worker_is_told_it_hears(tmp_path: Path) -> None:
    one, other = Bell(tmp_path), Bell(tmp_path)
    heard: list[bytes] = []
    other.listen(heard.append)
    for message in (b"first", b"second"):
        assert await asyncio.to_thread(one.ring, other.name, message)
    await eventually(lambda: heard == [b"first", b"second"])
    other.deafen()
    await hang_up(one, other)


async def test_all_but_the_one_who_rings_hear_it(tmp_path: Path) -> None:
    bells = [Bell(tmp_path) for _ in range(3)]
    heard: list[tuple[int, bytes]] = []
    for number, bell in enumerate(bells):
        bell.listen(partial(lambda number, message: heard.append((number, message)), number))
    await asyncio.to_thread(bells[0].ring_others, b"news")
    await eventually(lambda: sorted(heard) == [(1, b"news"), (2, b"news")])
    for bell in bells:
        bell.deafen()
    await hang_up(*bells)


def test_a_worker_that_was_killed_is_known_to_be_gone(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        assert bell.ring(name, b"?")
        process.kill()
        process.wait()
    assert not bell.ring(name, b"?")
    assert [path.stem for path in tmp_path.iterdir()] == [bell.name]
    bell.close()


def test_whether_a_worker_is_alive_is_found_without_a_message(tmp_path: Path) -> None:
    one, deaf = Bell(tmp_path), Bell(tmp_path)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text("utf-8"))
    assert all(one.is_alive(deaf.name) for _ in range(2 * queue)), "none of them waits in its queue"
    name = deaf.name
    deaf.close()
    assert not one.is_alive(name)
    one.close()


def test_a_worker_that_does_not_listen_is_not_waited_for_without_end(tmp_path: Path) -> None:
    one, deaf = Bell(tmp_path), Bell(tmp_path)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text("utf-8"))
    assert all(one.ring(deaf.name, b"x") for _ in range(queue + 2))
    one.close()
    deaf.close()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30) / ("longer" * 20)
    directory.mkdir(parents=True)
    bell = Bell(directory)
    assert [path.name for path in directory.iterdir()] == [f"{bell.name}.bell"]
    bell.close()
    assert list(directory.iterdir()) == []


async def hang_up(*bells: Bell) -> None:
    for bell in bells:
        await asyncio.to_thread(bell.close)
