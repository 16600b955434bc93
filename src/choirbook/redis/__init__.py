"""The shared cache level in Redis, and the feed of changes between hosts."""
