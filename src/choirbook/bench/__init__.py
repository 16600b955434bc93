"""Benchmarks of the stages of a read, in one process, without a server."""
