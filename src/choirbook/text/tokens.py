"""How much of a model's context a text takes. Pure.

An estimate, not a count: every model has a tokenizer of its own. English prose and code come to about
four bytes a token with those in use; text in other scripts has more bytes a character and more tokens
a character, so that bytes stay a fair measure where characters would not.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 4


def estimate_tokens(size_bytes: int) -> int:
    """Return about how many tokens a text of so many bytes is: a quarter, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN)
