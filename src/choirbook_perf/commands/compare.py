"""`choirbook perf compare`: check whether new runs are slower than old ones."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from choirbook_perf.errors import BadInput

_SECOND_SET = "choirbook_perf.compare.new"


class _TwoSets(TyperCommand):
    """Command line whose arguments are two sets, separated by `--`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what follows `--` away before the options are parsed."""
        if "--" in args:
            at = args.index("--")
            args, ctx.meta[_SECOND_SET] = args[:at], args[at + 1 :]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", cls=_TwoSets)(compare)


def compare(
    context: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="OLD... [--] NEW...",
            help="Result files, directories of one run or several, or names of baselines; the new ones "
            "after --, which may be omitted for one of each.",
        ),
    ],
    band: Annotated[
        float, typer.Option(min=0, help="Per cent; smaller differences are called the same.")
    ] = 3,
    margin: Annotated[float, typer.Option(min=0.1, help="Per cent; a slowdown that has to be found.")] = 10,
    despite: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare runs although they differ in this; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two sets of runs. Exit 1 if the new ones are slower, 3 if that is unknown."""
    from choirbook_perf import comparable, comparisons, run_files
    from choirbook_perf import compare as comparison
    from choirbook_perf.stats.decisions import Limits

    old_paths, new_paths = _sets(runs, context.meta.get(_SECOND_SET))
    new = run_files.load_set(new_paths)
    old = run_files.load_set(
        old_paths, "" if comparable.MACHINE in (despite or []) else new[0].environment.machine
    )
    comparable.check([*old, *new], despite or [])
    found = comparison.compare(old, new, Limits(band / 100, margin / 100))
    if json:
        typer.echo(jsons.dumps(comparisons.summary(found), indent=2))
    else:
        comparisons.show(found)
    comparisons.check(found)


def _sets(runs: list[Path], after: list[str] | None) -> tuple[list[Path], list[Path]]:
    if after:
        return runs, [Path(each) for each in after]
    if len(runs) != 2:  # noqa: PLR2004 - the two
        raise BadInput(
            "Two sets of runs are needed: one run of each, or the new ones after --, such as 'compare "
            "old1 old2 -- new1 new2'. Options come first."
        )
    return runs[:1], runs[1:]
