"""The library: the single entry point for reads, and all that keeps it true to its source."""
