"""Transports of MCP other than HTTP, for the probe and for load generators."""
