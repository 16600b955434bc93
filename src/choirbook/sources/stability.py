"""How long a file has to stay the same before its content counts."""

QUIET_S = 0.05
"""Unchanged for this long counts as whole."""

GONE_QUIET_S = 1.0
"""A file that had content and is empty or gone is being written anew more often than it was emptied."""
