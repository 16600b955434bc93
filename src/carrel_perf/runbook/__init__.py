"""The runbook: a template with prose, and tables made of result files."""

from carrel_perf.runbook.rendering import render

__all__ = ["render"]
