"""Carrel: a team's engineering standards, served to coding agents over MCP and HTTP."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Library", "Settings", "create_app"]

if TYPE_CHECKING:
    from carrel.app import create_app
    from carrel.library import Library
    from carrel.settings import Settings

_HOMES = {"Library": "carrel.library", "Settings": "carrel.settings", "create_app": "carrel.app"}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import carrel` stays cheap for the command line."""
    if name not in _HOMES:
        msg = f"module 'carrel' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
