"""Benchmarks: figures for the reader, never assertions for the tests."""
