"""Runbook: a template with prose, and tables generated from result files."""

from choirbook_perf.runbook.page import render

__all__ = ["render"]
