"""Traces by OpenTelemetry, made after the response from what the observer was told; see docs/tracing.md."""
