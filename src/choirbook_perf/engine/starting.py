"""The engine's processes, from the outside: start, progress, stop, result. Blocking."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from random import SystemRandom
from tempfile import TemporaryFile
from typing import IO

import msgspec

from choirbook_perf.children import child
from choirbook_perf.engine import floors
from choirbook_perf.engine.order import DRAIN_S, TIMEOUT_S, Load, Order
from choirbook_perf.errors import Inconclusive, ToolMissing
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured, Progress
from choirbook_perf.results import Floor

_PYTHON = (sys.executable, "-P", "-m")
_MAX_SEED = 2**32


def run(
    plan: Plan,
    load: Load,
    *,
    watch: Callable[[Progress], None] = lambda _: None,
    floor: Floor | None = None,
    with_floor: bool = True,
    seed: int | None = None,
    drain_s: float = DRAIN_S,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Measured, bool]:
    """Make a load, and return what was measured, and whether it was interrupted.

    Args:
        plan: Requests.
        load: When to send them.
        watch: Called with the progress every second.
        floor: Floor of the generator, if it was measured before.
        with_floor: Whether to measure it before the load otherwise, for about a second.
        drain_s: How long to wait for answers after the last request.
        timeout_s: After it a request counts as failed.
        seed: Of arrivals, think times and the choice of requests; another one each time if omitted.

    Raises:
        Inconclusive: The process ended without a result.
        ToolMissing: The null server did not start.
    """
    with null_server(plan) if with_floor and floor is None else nullcontext("") as null_url:
        order = Order(
            plan=plan,
            load=load,
            seed=SystemRandom().randrange(_MAX_SEED) if seed is None else seed,
            null_url=null_url,
            drain_s=drain_s,
            timeout_s=timeout_s,
            floor=floor,
        )
        return _ordered(order, watch)


@contextmanager
def null_server(plan: Plan) -> Iterator[str]:
    """Run a server that does nothing but send responses as long as those of a plan; yields its URL.

    Raises:
        ToolMissing: It did not start.
    """
    command = [*_PYTHON, "choirbook_perf.engine.null_server", str(floors.body_bytes(plan)), str(os.getpid())]
    with child(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url:
            raise ToolMissing(
                "The server to measure the generator at did not start. "
                "Look for the reason with: python -m choirbook_perf.engine.null_server 1000 1"
            )
        try:
            yield url
        finally:
            process.stdout.close()


def _ordered(order: Order, watch: Callable[[Progress], None]) -> tuple[Measured, bool]:
    command = [*_PYTHON, "choirbook_perf.engine.process", str(os.getpid())]
    with (
        TemporaryFile() as errors,
        child(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # A server over stdio is the user's command, with the user's settings.
            settings=os.environ if order.plan.command else None,
        ) as process,
    ):
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended already; its last words are reported below
            process.stdin.write(msgspec.json.encode(order))
            process.stdin.close()
        process.stdin = None
        measured, is_partial = _listen(process, watch)
        if measured is not None:
            return measured, is_partial
        errors.seek(0)
        told = errors.read().decode("utf-8", "replace").strip().splitlines()
    if is_partial:
        raise Inconclusive("Interrupted before anything was measured.")
    raise Inconclusive(
        f"The load generator ended with {process.returncode}: {told[-1] if told else 'no output'}"
    )


def _listen(
    process: subprocess.Popen[bytes], watch: Callable[[Progress], None]
) -> tuple[Measured | None, bool]:
    """Read lines until the process ends; a first interrupt ends the load, a second one the process."""
    assert process.stdout is not None
    interrupted = 0
    measured: Measured | None = None
    while True:
        try:
            measured = _read(process.stdout, watch) or measured
            process.wait()
        except KeyboardInterrupt:
            interrupted += 1
            if interrupted > 1:
                process.kill()
                break
            process.send_signal(signal.SIGTERM)
        else:
            break
    process.stdout.close()
    return measured, interrupted > 0


def _read(lines: IO[bytes], watch: Callable[[Progress], None]) -> Measured | None:
    # Not `for line in lines`, whose read-ahead would delay the progress.
    for line in iter(lines.readline, b""):
        if not line.endswith(b"\n"):
            break  # the process ended while it wrote
        if line.startswith(b'{"second"'):
            watch(msgspec.json.decode(line, type=Progress))
        else:
            return msgspec.json.decode(line, type=Measured)
    return None
