"""The last commands of a run that ends badly: from what was commanded to damping, with no step in torque."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.rows import CommandRow

Vector = NDArray[np.float64]

FADE_TICKS = 20
"""Periods from the last command to damping alone."""


def damping_command(na: int, kd_Nms_rad: Vector | float) -> CommandRow:
    """A command that brakes every joint and asks for nothing else: kp and tau_ff 0.

    Args:
        na: number of actuated joints.
        kd_Nms_rad: (na,) damping, or one for all, > 0 [Nms/rad].

    Raises:
        ValueError: if any is not positive: a robot never goes limp because software failed.
    """
    command = CommandRow(na)
    command.kd[:] = kd_Nms_rad
    if not (np.all(command.kd > 0.0) and np.all(np.isfinite(command.kd))):
        raise ValueError("every joint needs a positive, finite damping gain")
    return command


def fade(last: CommandRow, damping: CommandRow, step: int, out: CommandRow) -> None:
    """Writes command number `step` of FADE_TICKS on the way from the last command to damping.

    Numbers rise from one to the next: a robot takes only what is newer.
    """
    share = min(1.0, step / FADE_TICKS)
    for mixed, ours, theirs in (
        (out.v_des, damping.v_des, last.v_des),
        (out.kp, damping.kp, last.kp),
        (out.kd, damping.kd, last.kd),
        (out.tau_ff, damping.tau_ff, last.tau_ff),
    ):
        np.multiply(theirs, 1.0 - share, out=mixed)
        mixed += share * ours
    out.q_des[:] = last.q_des
    out.t_s[:] = damping.t_s
    out.seq[:] = damping.seq + (step - 1)
