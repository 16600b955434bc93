"""Objects left to the garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collector() -> Iterator[None]:
    """Disable the collector for as long as the context lasts, after a first run."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
