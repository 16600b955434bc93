"""OpenTelemetry traces, created after the response from the observer's records; see docs/tracing.md."""
