import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

from choirbook.workers.mailbox import Mailbox
from tests.support.waiting import eventually

PROGRAM = """
import sys, pathlib
from choirbook.workers.mailbox import Mailbox
mailbox = Mailbox(pathlib.Path(sys.argv[1]))
print(mailbox.name, flush=True)
sys.stdin.read()
"""


async def test_what_one_worker_is_told_it_hears(tmp_path: Path) -> None:
    one, other = Mailbox(tmp_path), Mailbox(tmp_path)
    heard: list[bytes] = []
    other.listen(heard.append)
    for message in (b"first", b"second"):
        assert await asyncio.to_thread(one.send, other.name, message)
    await eventually(lambda: heard == [b"first", b"second"])
    other.stop_listening()
    await hang_up(one, other)


async def test_all_but_the_one_who_rings_hear_it(tmp_path: Path) -> None:
    bells = [Mailbox(tmp_path) for _ in range(3)]
    heard: list[tuple[int, bytes]] = []
    for number, mailbox in enumerate(bells):
        mailbox.listen(partial(lambda number, message: heard.append((number, message)), number))
    await asyncio.to_thread(bells[0].send_to_others, b"news")
    await eventually(lambda: sorted(heard) == [(1, b"news"), (2, b"news")])
    for mailbox in bells:
        mailbox.stop_listening()
    await hang_up(*bells)


def test_a_worker_that_was_killed_is_known_to_be_gone(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().decode().strip()
        assert mailbox.send(name, b"?")
        process.kill()
        process.wait()
    assert not mailbox.send(name, b"?")
    assert [path.stem for path in tmp_path.iterdir()] == [mailbox.name]
    mailbox.close()


def test_whether_a_worker_is_alive_is_found_without_a_message(tmp_path: Path) -> None:
    one, deaf = Mailbox(tmp_path), Mailbox(tmp_path)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text("utf-8"))
    assert all(one.is_alive(deaf.name) for _ in range(2 * queue)), "none of them waits in its queue"
    name = deaf.name
    deaf.close()
    assert not one.is_alive(name)
    one.close()


def test_a_worker_that_does_not_listen_is_not_waited_for_without_end(tmp_path: Path) -> None:
    one, deaf = Mailbox(tmp_path), Mailbox(tmp_path)
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text("utf-8"))
    assert all(one.send(deaf.name, b"x") for _ in range(queue + 2))
    one.close()
    deaf.close()


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30) / ("longer" * 20)
    directory.mkdir(parents=True)
    mailbox = Mailbox(directory)
    assert [path.name for path in directory.iterdir()] == [f"{mailbox.name}.mailbox"]
    mailbox.close()
    assert list(directory.iterdir()) == []


async def hang_up(*bells: Mailbox) -> None:
    for mailbox in bells:
        await asyncio.to_thread(mailbox.close)
