"""What is left to the garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collector() -> Iterator[None]:
    """Have no collector run by itself for as long as the context lasts, after a first run."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
