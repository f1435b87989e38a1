"""One core, no garbage collector: what comparisons of times are measured under."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pinned() -> Iterator[None]:
    """Stays on one core, with all that is started meanwhile, and keeps the collector away."""
    before, collects = os.sched_getaffinity(0), gc.isenabled()
    os.sched_setaffinity(0, {min(before)})
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        os.sched_setaffinity(0, before)
