"""Estimate of the tokens that a text takes in a model's context. Pure.

An estimate, not a count: every model has its own tokenizer. English prose and code have about four bytes per
token with common ones; text in other scripts has more bytes and more tokens per character, so bytes are a
better measure than characters.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4


def estimate_tokens(size_bytes: int) -> int:
    """Return the estimated tokens of a text: bytes / 4, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN)
