"""The runbook: a template with prose, and tables made of result files."""

from choirbook_perf.runbook.page import render

__all__ = ["render"]
