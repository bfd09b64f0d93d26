"""When Python looks for garbage: not while much is made that is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """For what makes very many small objects and no cycles: looking for some takes long.

    What is in no cycle is freed as ever.  Threads that do this at the same time do no harm: one
    of them found the collector on, and turns it on again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
