"""Torques and accelerations of a robot, averaged over the ticks from one payload estimate to the next."""

from __future__ import annotations

from typing import NamedTuple

from kilohertz.robots.compile.kernels import exact_kernel, kernel
from kilohertz.robots.model.kin import Floats, Ints, Kin


class MeanMotion(NamedTuple):
    """Torques and accelerations, averaged over the ticks from one payload estimate to the next."""

    tau_sum: Floats
    """(na,) sum of the torques of the ticks since the last estimate [Nm]."""
    last_v: Floats
    """(nv,) velocity at the last estimate [m/s, rad/s]."""
    tau: Floats
    """(na,) mean torque [Nm]."""
    vdot: Floats
    """(nv,) mean acceleration [m/s^2, rad/s^2]."""
    friction: Floats
    """(na,) part of the torques of this tick that compensates joint friction [Nm]; empty for none."""
    elapsed_s: Floats
    """(1,) time since the last estimate [s]."""
    ticks: Ints
    """(1,) number of ticks since the last estimate."""


@exact_kernel
def count_tick(tau: Floats, dt_s: float, motion: MeanMotion) -> int:
    """Adds one tick to the sums; without the friction that they overcome, the torques move the robot.

    Args:
        tau: (na,) joint torques [Nm].
        dt_s: period [s].
        motion: written.

    Returns:
        The number of ticks since the last estimate, with this one.
    """
    total, friction = motion.tau_sum, motion.friction
    for j in range(len(tau)):
        total[j] += tau[j] - friction[j] if len(friction) > 0 else tau[j]
    motion.elapsed_s[0] += dt_s
    motion.ticks[0] += 1
    ticks: int = motion.ticks[0]
    return ticks


@kernel
def average_motion(period_s: float, ticks: int, k: Kin, motion: MeanMotion) -> None:
    """Computes the mean acceleration and torques of the last ticks, and restarts the sums.

    Args:
        period_s: time since the last call [s].
        ticks: number of ticks since the last call.
        k: kinematics of the tick.
        motion: written.
    """
    for i in range(len(k.v)):
        motion.vdot[i] = (k.v[i] - motion.last_v[i]) / period_s
        motion.last_v[i] = k.v[i]
    for i in range(len(motion.tau)):
        motion.tau[i] = motion.tau_sum[i] / ticks
        motion.tau_sum[i] = 0.0
    motion.elapsed_s[0], motion.ticks[0] = 0.0, 0
