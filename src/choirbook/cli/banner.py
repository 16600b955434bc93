"""Startup message of `choirbook serve`: library, addresses, and how to connect an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from choirbook import __version__
from choirbook.catalog.catalog import Catalog
from choirbook.cli import output
from choirbook.model import SourceProblem
from choirbook.settings import STARTER_LIBRARY, Settings
from choirbook.text.escapes import shown

if TYPE_CHECKING:
    from rich.console import Console

MAX_NAMED = 3


def greet(
    settings: Settings, catalog: Catalog, problems: Sequence[SourceProblem], admin: str | None = None
) -> None:
    """Print the startup message on stdout; stderr is for logs.

    Args:
        settings: Settings of the server.
        catalog: Resources served.
        problems: Documents that cannot be served.
        admin: Address of admin calls; None for none.
    """
    console = output.console(soft_wrap=True)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    is_starter = settings.root == STARTER_LIBRARY
    name = "the starter library" if is_starter else catalog.rules.name
    counts = ", ".join(f"{catalog.count(t)} {t}" for t in catalog.rules.types if catalog.count(t))
    plural = "s" if settings.workers > 1 else ""
    served = shown(f" serves {name}: {len(catalog)} resources ({counts})")
    console.print(Text.assemble((f"Choirbook {__version__}", "bold"), served))
    if not is_starter:
        console.print(f"  Directory  {settings.root}")
    console.print(f"  MCP        {url}/mcp")
    console.print(f"  HTTP       {url}/mcp/resources")
    console.print(f"  Metrics    {url}/metrics   ({settings.workers} worker{plural})")
    if settings.dashboard:
        console.print(f"  Dashboard  {url}/dashboard")
    if admin is not None:
        console.print(f"  Admin      {admin}")
    for line in ("", "Connect Claude Code:", f"  claude mcp add --transport http choirbook {url}/mcp", ""):
        console.print(line)
    _warn(console, catalog, problems)
    console.file.flush()


def _warn(console: Console, catalog: Catalog, problems: Sequence[SourceProblem]) -> None:
    for collision in catalog.collisions()[:MAX_NAMED]:
        hidden = ", ".join(collision.hidden)
        text = f"Several files have the URI {collision.uri}: {collision.served} is served, not {hidden}."
        console.print(text, style="yellow")
    count = len(problems) + len(catalog.problems()) + len(catalog.collisions())
    if count:
        console.print(
            f"{count} problem(s) in the library: run 'choirbook check' to see them.", style="yellow"
        )
