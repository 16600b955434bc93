"""Command line of `choirbook perf`: commands, and the exit codes of errors."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import typer

from choirbook_perf import commands
from choirbook_perf.errors import EXIT_CODES, PerfError, ToolMissing


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a `PerfError` becomes a line on stderr and an exit code.

    Args:
        arguments: Words after `choirbook perf`; those of the process if omitted.
    """
    # A supervisor that ends a run wants the results so far, just as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _run(arguments)
    except PerfError as error:
        print(f"choirbook perf: {error.message}", file=sys.stderr)
        sys.exit(error.exit_code)


def _run(arguments: Sequence[str] | None) -> None:
    """Run a command.

    Raises:
        ToolMissing: It needs a package that a plain installation lacks.
    """
    try:
        app()(arguments, prog_name="choirbook perf")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __package__:
            raise
        raise ToolMissing(
            f"This command needs {error.name}, which is not installed. Run: pip install 'choirbook[perf]'"
        ) from error


def app() -> typer.Typer:
    """Return the command line, with every module of `commands`."""
    made = typer.Typer(
        name="perf",
        help="Measure how fast a resource server is, and check the results against thresholds.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    made.callback(epilog=EXIT_CODES)(_root)
    for module in iter_modules(commands.__path__):
        import_module(f"{commands.__name__}.{module.name}").register(made)
    _end_help_with_exit_codes(made)
    return made


def _end_help_with_exit_codes(made: typer.Typer) -> None:
    for command in made.registered_commands:
        command.epilog = EXIT_CODES
    for group in made.registered_groups:
        group.epilog = EXIT_CODES
        if group.typer_instance is not None:
            _end_help_with_exit_codes(group.typer_instance)


def _root() -> None:
    """Measure how fast a resource server is, and check the results against thresholds."""
