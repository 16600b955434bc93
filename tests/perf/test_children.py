import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from choirbook_perf.children import child

WAITS = "import time; print('up', flush=True); time.sleep(300)"


class InterruptedWhileStarting(Mapping[str, str]):
    """Settings that have the run interrupted when they are read: in the middle of a process's start."""

    def __getitem__(self, key: str) -> str:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        os.kill(os.getpid(), signal.SIGINT)
        return iter(())

    def __len__(self) -> int:
        return 1


def runs(mark: str) -> bool:
    return any(mark.encode() in _command_line(entry) for entry in Path("/proc").glob("[0-9]*"))


def _command_line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_process_lasts_as_long_as_its_context() -> None:
    with child([sys.executable, "-c", WAITS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"up\n"
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


def test_an_error_in_the_context_ends_the_process_too() -> None:
    with pytest.raises(ZeroDivisionError), child([sys.executable, "-c", WAITS]) as process:
        raise ZeroDivisionError
    assert process.returncode is not None


def test_an_interrupt_while_a_process_starts_leaves_none_behind() -> None:
    mark, handler = uuid.uuid4().hex, signal.getsignal(signal.SIGINT)
    command = [sys.executable, "-c", WAITS, mark]
    with pytest.raises(KeyboardInterrupt), child(command, settings=InterruptedWhileStarting()):
        pytest.fail("the interrupt was lost")
    assert not runs(mark)
    assert signal.getsignal(signal.SIGINT) == handler


def test_an_interrupt_while_a_process_is_waited_for_ends_it() -> None:
    interrupts = f"import os, signal; os.kill(os.getppid(), signal.SIGINT); {WAITS}"
    with pytest.raises(KeyboardInterrupt), child([sys.executable, "-c", interrupts]) as process:
        process.wait(30)
    assert process.returncode is not None


def test_settings_of_the_caller_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHOIRBOOK_PORT", "1")
    monkeypatch.setenv("CACHE_TTL", "1")
    monkeypatch.setenv("OTHER", "1")
    tell = "import os; print([n for n in ('CHOIRBOOK_PORT', 'CACHE_TTL', 'OTHER') if n in os.environ])"
    command = [sys.executable, "-c", tell]
    with child(command, stdout=subprocess.PIPE, settings={"CACHE_TTL": "2"}) as process:
        assert process.communicate()[0].strip() == b"['CACHE_TTL', 'OTHER']"
