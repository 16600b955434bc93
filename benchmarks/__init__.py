"""Benchmarks: figures for readers, never assertions for tests."""
