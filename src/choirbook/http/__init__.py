"""The HTTP surface: resources as JSON or raw bytes, health, metrics."""
