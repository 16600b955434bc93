"""Levels of cache between a read and the source."""
