"""Choirbook: a team's engineering standards, served to coding agents over MCP and HTTP."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Library", "Settings", "create_app"]

if TYPE_CHECKING:
    from choirbook.app import create_app
    from choirbook.library.library import Library
    from choirbook.settings import Settings

_HOMES = {
    "Library": "choirbook.library.library",
    "Settings": "choirbook.settings",
    "create_app": "choirbook.app",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import choirbook` stays fast for the command line."""
    if name not in _HOMES:
        msg = f"module 'choirbook' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
