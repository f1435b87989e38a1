"""The command of an ordinary tick, in one compiled call: the torques of the ladder, through the guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kilohertz.controller.safety.guard import LARGEST, GuardArrays, guard_torque
from kilohertz.controller.safety.ladder import SOFTENED
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import NQ_BASE, Floats, Kin
from kilohertz.robots.model.rows import CommandRow, Vector


class Drives(NamedTuple):
    """Torques of a tick and the fields of the command row."""

    ladder_Nm: Floats
    """(na,) torque of the ladder [Nm]."""
    friction_Nm: Floats
    """(na,) compensation of joint friction [Nm]; empty for a robot without it."""
    tau: Floats
    """(na,) torque after the guard [Nm]."""
    seq: Floats
    """(1,) number of the command."""
    t_s: Floats
    """(1,) time stamp of the sensor row that the command answers [s]."""
    q_des: Floats
    """(na,) desired joint position [rad]."""
    v_des: Floats
    """(na,) desired joint velocity [rad/s]."""
    kp: Floats
    """(na,) position gain [Nm/rad]."""
    kd: Floats
    """(na,) velocity gain [Nms/rad]."""
    tau_ff: Floats
    """(na,) feed-forward torque [Nm]."""


def bind_drives(
    ladder_Nm: Vector, friction_Nm: Vector, tau: Vector, command: CommandRow, k: Kin, guard: GuardArrays
) -> Callable[[int, float], None]:
    """Returns a function of the rung of the ladder and of the time of the sample, which writes the command.

    The joints get torque only: the gains of the drives are 0.

    Args:
        ladder_Nm: (na,) torque of the ladder [Nm].
        friction_Nm: (na,) compensation of joint friction, added to a solution of the QP [Nm]; or empty.
        tau: (na,) torque after the guard, written [Nm].
        command: the command row, written.
        k: kinematics of the tick.
        guard: limits and state of the guard.
    """
    drives = Drives(
        ladder_Nm,
        friction_Nm,
        tau,
        command.seq,
        command.t_s,
        command.q_des,
        command.v_des,
        command.kp,
        command.kd,
        command.tau_ff,
    )
    return bind(
        "drive_command",
        [apply_torque, send_command],
        call={"rung": "i8", "t_s": "f8"},
        structs={"k": k, "drives": drives, "guard": guard},
    )


@kernel
def apply_torque(rung: int, k: Kin, drives: Drives, guard: GuardArrays) -> None:
    """Writes the torque of this tick, limited by the guard."""
    tau, friction = drives.tau, drives.friction_Nm
    for j in range(len(tau)):
        tau[j] = drives.ladder_Nm[j]
    if rung <= SOFTENED:
        for j in range(len(friction)):
            tau[j] += friction[j]
    guard_torque(tau, k.q[k.size[NQ_BASE] :], guard)


@kernel
def send_command(t_s: float, k: Kin, drives: Drives) -> None:
    """Writes the command: the torque, and the measured positions where they are all finite."""
    na, nq_base = len(drives.tau), k.size[NQ_BASE]
    finite = True
    for j in range(na):
        finite = finite and abs(k.q[nq_base + j]) <= LARGEST
    for j in range(na):
        if finite:
            drives.q_des[j] = k.q[nq_base + j]
        drives.v_des[j] = drives.kp[j] = drives.kd[j] = 0.0
        drives.tau_ff[j] = drives.tau[j]
    drives.seq[0] += 1.0
    drives.t_s[0] = t_s
