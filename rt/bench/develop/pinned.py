"""Conditions for comparing durations: one core, garbage collector off."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pinned() -> Iterator[None]:
    """Binds this process and the processes it starts to one core, and turns the garbage collector off."""
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
