"""Compiled time stamp of the end of a stage: a tick writes eight of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel, types
from kilohertz.robots.model.kin import Ints

_MONOTONIC, _NS = getattr(time, "CLOCK_MONOTONIC", -1), 1_000_000_000
_clock_gettime = types.ExternalFunction(
    "clock_gettime", types.int32(types.int32, types.CPointer(types.int64))
)


class RingArrays(NamedTuple):
    """The cells of a `StageRing`, for compiled code."""

    cells: Ints
    """The rows, one after another."""
    row: Ints
    """(1,) start index of the row of the current tick in `cells`."""
    clock: Ints
    """(2,) last time of the clock: seconds and nanoseconds."""


@kernel
def mark_stage(stage: int, ring: RingArrays) -> None:
    """Writes the time stamp of the end of a stage, as `time.monotonic_ns` gives it on Linux.

    Args:
        stage: column of the stage.
        ring: the cells.
    """
    _clock_gettime(_MONOTONIC, ring.clock.ctypes)
    ring.cells[ring.row[0] + stage] = ring.clock[0] * _NS + ring.clock[1]


def bind_mark(cells: memoryview, row: memoryview) -> Callable[[int], None]:
    """Returns `mark_stage` for the memory of a ring; it is compiled when this returns.

    Args:
        cells: the rows, int64.
        row: start index of the row of the current tick, one int64.
    """
    flat, start = (np.frombuffer(memory, dtype=np.int64) for memory in (cells, row))
    ring = RingArrays(flat, start, np.zeros(2, np.int64))
    mark: Callable[[int], None] = bind(
        "stage_mark_kernel", [mark_stage], call={"stage": "i8"}, structs={"ring": ring}
    )
    load_pending()
    return mark
