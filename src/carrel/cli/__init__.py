"""The command line. Commands import what they need when they run: a start costs what it uses."""

from carrel.cli.commands import main

__all__ = ["main"]
