"""Metrics, access log, operator log: watch from above, never reached from below."""
