"""Profiles of a running server: recording, reading and showing them."""
