"""Durations of the stages of recorded ticks, from their time stamps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.rt.loop.stamps import ORDER, RECORD, STAGE_COLUMNS

TICK = "tick"
"""Name of the duration from the start of a tick until its command was written."""


def stage_durations_ns(stamps_ns: NDArray[Any]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Returns how long each stage of each tick took, in the order of the stages, and the tick as a whole.

    Args:
        stamps_ns: (n,) field `stamps_ns` of log rows.

    Returns:
        By name of the stage, and `TICK`: (n,) durations [ns], and (n,) whether the stage ran in that tick;
        the duration of a stage that did not run has no meaning.
    """
    durations = {}
    start = previous = stamps_ns["start"]
    for column in ORDER:
        if column == RECORD:
            continue
        stamp = stamps_ns[STAGE_COLUMNS[column]]
        # A stage that did not run still has the stamp of an older tick.
        ran = stamp >= previous
        durations[STAGE_COLUMNS[column]] = (stamp - previous, ran)
        previous = np.where(ran, stamp, previous)
    durations[TICK] = (previous - start, np.ones(len(start), dtype=np.bool_))
    return durations
