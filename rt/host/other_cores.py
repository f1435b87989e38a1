"""Keeps a process beside the control loop away from the loop's core."""

from __future__ import annotations

import os

NO_CORE = -1


def leave_core(core: int) -> None:
    """Leaves the loop's core, and drops a real-time priority inherited from the controller.

    Args:
        core: core of the loop; NO_CORE if it has none of its own.
    """
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    others = os.sched_getaffinity(0) - {core}
    if others:
        os.sched_setaffinity(0, others)
