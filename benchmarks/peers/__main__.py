"""Compare Choirbook with other servers of the same document: CPU per request, closed-loop latency.

All take turns on one core, `wrk` has another; so ratios are stable even if absolute figures are not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.peers.rounds import Measuring, Options, interrupt_on_sigterm
from benchmarks.peers.servers import PEERS
from benchmarks.peers.table import table_of
from benchmarks.sampler import missing
from choirbook_perf.errors import OutputFailed
from choirbook_perf.output import to_json, write_text


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(prog="scripts/peers", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="turns of each server (default 5)")
    parser.add_argument("--seconds", type=_positive, default=3, help="length of a turn (default 3)")
    parser.add_argument(
        "--connections", type=_positive, default=100, help="keep-alive connections (default 100)"
    )
    parser.add_argument(
        "--peers",
        type=_peers,
        default=list(PEERS),
        metavar="NAME,...",
        help=f"which servers (default all: {','.join(PEERS)})",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result to this file, as JSON")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args()
    if lacking := missing():
        sys.exit(f"scripts/peers cannot measure: {lacking}")
    interrupt_on_sigterm()
    options = Options(asked.rounds, asked.seconds, asked.connections)
    comparison = Measuring([PEERS[name] for name in asked.peers], options, _say).run()
    text = to_json(comparison)
    if asked.out is not None:
        _write(asked.out, text)
    print(text if asked.json else table_of(comparison), end="" if asked.json else "\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _peers(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in PEERS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no server {', '.join(unknown)!r}. There are: {', '.join(PEERS)}")
    return names


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OutputFailed as error:
        sys.exit(f"scripts/peers: {error.message}")


if __name__ == "__main__":
    main()
