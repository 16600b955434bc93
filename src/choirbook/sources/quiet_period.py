"""Quiet times: how long a file must stay the same before its content counts."""

QUIET_S = 0.05
"""Quiet time of a file, in seconds: content unchanged for this long counts as complete."""

GONE_QUIET_S = 1.0
"""Quiet time of a file that became empty or disappeared, in seconds: it is rewritten more often than it was
emptied."""
