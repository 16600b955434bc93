"""Command line. Commands import what they need when they run, to keep the start fast."""

import signal
import sys


def main() -> None:
    """Run the command line; see `commands.main`."""
    # Ctrl+C in an agent's terminal reaches the servers that it started, which may still be importing. It ends
    # them without a traceback; a signal that `nohup` ignores stays ignored.
    if sys.argv[1:2] == ["stdio"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from choirbook.cli.commands import main as run

    run()


__all__ = ["main"]
