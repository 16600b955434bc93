"""Carrel: a team's engineering standards, served to coding agents over MCP and HTTP."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Library", "Settings", "create_app"]

if TYPE_CHECKING:
    from carrel.app import create_app
    from carrel.library import Library
    from carrel.settings import Settings


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import carrel` stays cheap for the command line."""
    if name == "create_app":
        from carrel.app import create_app

        return create_app
    if name == "Library":
        from carrel.library import Library

        return Library
    if name == "Settings":
        from carrel.settings import Settings

        return Settings
    msg = f"module 'carrel' has no attribute {name!r}"
    raise AttributeError(msg)
