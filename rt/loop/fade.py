"""The last commands of a run that ends because of an error: a fade to damping without a step in torque."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow

Vector = NDArray[np.float64]

FADE_TICKS = 20
"""Number of periods from the last command to pure damping."""


def damping_command(na: int, kd_Nms_rad: Vector | float) -> CommandRow:
    """Builds a command that only damps every joint: kp and tau_ff are 0.

    Args:
        na: number of actuated joints.
        kd_Nms_rad: (na,) damping gains, or one gain for all joints, > 0 [Nms/rad].

    Raises:
        ValueError: if a gain is not positive and finite; a software failure must not leave a joint without
            torque.
    """
    command = CommandRow(na)
    command.kd[:] = kd_Nms_rad
    if not (np.all(command.kd > 0.0) and np.all(np.isfinite(command.kd))):
        raise ValueError("every joint needs a positive, finite damping gain")
    return command


def last_command(robot: RobotModel, kd_Nms_rad: Vector) -> CommandRow:
    """Builds the command to which a run fades: damping, or for position servos holding their last position.

    Args:
        robot: the robot.
        kd_Nms_rad: (na,) damping gains of drives that apply torques [Nms/rad].
    """
    if robot.servo is None:
        return damping_command(robot.na, kd_Nms_rad)
    command = CommandRow(robot.na)
    command.kp[:], command.kd[:] = robot.servo.stiffness_Nm_rad, robot.servo.damping_Nms_rad
    return command


def fade(last: CommandRow, damping: CommandRow, step: int, out: CommandRow) -> None:
    """Writes one command of the fade from the last command to damping.

    The sequence number increases from one command to the next, because a robot accepts newer commands only.

    Args:
        last: the last command of the run.
        damping: the damping command; its sequence number is that of the first command of the fade.
        step: number of this command, from 1 to FADE_TICKS.
        out: written.
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
