"""Model of the robot's drives: command delay, joint PD, torque and speed limits, and the drives' own damping.

A drive always applies a torque law: it holds the start posture until the first command, follows commands
while they arrive, and damps after 20 ms without a command. This damping is latched until the drive is
re-armed.

Commands wait in a ring buffer of whole ticks. MuJoCo's own actuator delay is not used, because the PD law of
a drive combines a delayed command with the present encoder values.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire.envelope import DAMPING_MARGIN_RAD, Envelope, envelope_numbers

Vector = NDArray[np.float64]

WATCHDOG_TICKS = 20
# Above this fraction of the velocity limit, the available driving torque decreases linearly to 0 at the
# limit.
FULL_TORQUE_SPEED = 0.9
# While holding, the torque limit is reached at this position error.
HOLD_ERROR_RAD = 0.1
# While damping, the torque limit is reached at this joint speed.
DAMPING_SPEED_RAD_S = 5.0
# kd times the period, as a fraction of the joint inertia; the discrete damping is unstable from 2.
STABLE_DAMPING = 0.3

LARGEST_GAIN = 1e5
LARGEST_TORQUE_OF_LIMIT = 2.0
LARGEST_SPEED_OF_LIMIT = 10.0


class DriveState(Enum):
    """State of the drives: holding the start posture, following commands, or damping."""

    HOLD = "hold"
    FOLLOW = "follow"
    DAMPING = "damping"


class Drives:
    """The drives of all joints of a robot.

    Attributes:
        state: holding, following or damping.
        tau: (na,) torque applied in the last step [Nm].
        refused: number of commands that were not finite or out of range.
        latched: whether the damping lasts until `rearm`.
        envelope: envelope of the robot; its `reason` says why the drives damp, if a command left it.

    Args:
        robot: model with the joints and limits.
        hold_q: (na,) posture to hold until the first command [rad].
        hold_tau: (na,) torque that holds this posture [Nm].
        delay_ticks: periods from a sensor sample to the torque that answers it.
    """

    def __init__(self, robot: RobotModel, hold_q: Vector, hold_tau: Vector, delay_ticks: int) -> None:
        self.state = DriveState.HOLD
        self.tau = np.zeros(robot.na)
        self.refused = 0
        self.latched = False
        self.envelope = Envelope(envelope_numbers(robot))
        self._hold = robot.new_command_row()
        self._damping = robot.new_command_row()
        self._follow = robot.new_command_row()
        self._command = self._hold
        self._set_own_gains(robot, hold_q, hold_tau)

        self._ring = np.zeros((delay_ticks + 1, self._follow.data.size))
        self._arrived = np.zeros(delay_ticks + 1, dtype=bool)
        self._slot = 0
        self._silent_ticks = 0
        self._last_seq = -1.0
        self._set_range(robot)

        self._limit = np.array(robot.torque_limit_Nm)
        self._speed_limit = np.array(robot.velocity_limit_rad_s)
        self._per_speed = 1.0 / ((1.0 - FULL_TORQUE_SPEED) * self._speed_limit)
        self._work = np.zeros(robot.na)
        self._bound = np.zeros(robot.na)

    def _set_own_gains(self, robot: RobotModel, hold_q: Vector, hold_tau: Vector) -> None:
        inertia = joint_inertia(robot)
        stable_kd = STABLE_DAMPING * inertia / PERIOD_S
        self._hold.q_des[:] = hold_q
        self._hold.tau_ff[:] = hold_tau
        self._hold.kp[:] = robot.torque_limit_Nm / HOLD_ERROR_RAD
        self._hold.kd[:] = stable_kd
        self._damping.kd[:] = np.minimum(stable_kd, robot.torque_limit_Nm / DAMPING_SPEED_RAD_S)

    def _set_range(self, robot: RobotModel) -> None:
        row = robot.new_command_row()
        largest = np.finfo(np.float64).max
        low, high = np.zeros_like(row.data), np.full_like(row.data, largest)
        for data, sign in ((low, -1.0), (high, 1.0)):
            row.data[:] = data
            edge = robot.position_lower_rad if sign < 0 else robot.position_upper_rad
            row.q_des[:] = np.where(np.isfinite(edge), edge + sign * np.pi, sign * largest)
            row.v_des[:] = sign * LARGEST_SPEED_OF_LIMIT * robot.velocity_limit_rad_s
            row.tau_ff[:] = sign * LARGEST_TORQUE_OF_LIMIT * robot.torque_limit_Nm
            row.kp[:] = row.kd[:] = 0.0 if sign < 0 else LARGEST_GAIN
            data[:] = row.data
        self._low, self._high = low, high
        self._fits = np.zeros(low.size, dtype=bool)
        self._below = np.zeros(low.size, dtype=bool)

    @property
    def commanded(self) -> CommandRow:
        """Command that the drives apply now: the last one received, or their own for holding or damping."""
        return self._command

    @property
    def damping_kd(self) -> Vector:
        """(na,) velocity gain of the drives' own damping [Nms/rad]."""
        return self._damping.kd

    def offer(self, command: CommandRow) -> bool:
        """Accepts a command, which takes effect after the delay; the last command of a step replaces others.

        Returns:
            Whether the command was accepted: it is new, finite, within range and in the robot's envelope.
        """
        data = command.data
        np.greater_equal(data, self._low, out=self._fits)
        np.less_equal(data, self._high, out=self._below)
        self._fits &= self._below
        if not self._fits.all():
            self.refused += 1
            return False
        seq = float(command.seq[0])
        if seq == self._last_seq:
            return False
        if not self.envelope.admit(command):
            self.refused += 1
            self.damp()
            return False
        self._last_seq = seq
        self._ring[self._slot] = data
        self._arrived[self._slot] = True
        return True

    def damp(self) -> None:
        """Starts damping at once, even if delayed commands are pending; the damping lasts until `rearm`."""
        self._command = self._damping
        self.state = DriveState.DAMPING
        self.latched = True

    def rearm(self) -> None:
        """Ends the latch, so that the next new command ends the damping."""
        self.latched = False
        self.envelope.enter()

    def step(self, q: Vector, v: Vector, v_true: Vector) -> Vector:
        """Computes the torque for the next period, with the delayed command that becomes effective now.

        Args:
            q: (na,) measured encoder position [rad].
            v: (na,) measured joint velocity [rad/s].
            v_true: (na,) true joint velocity, which limits the torque [rad/s].

        Returns:
            (na,) joint torque within the limits [Nm]; a reference to the attribute `tau`.
        """
        self._receive()
        command, tau, work = self._command, self.tau, self._work
        np.subtract(command.q_des, q, out=tau)
        tau *= command.kp
        np.subtract(command.v_des, v, out=work)
        work *= command.kd
        tau += work
        tau += command.tau_ff
        followed = command if self.state is DriveState.FOLLOW else None
        margin_rad = DAMPING_MARGIN_RAD if self.state is DriveState.DAMPING else 0.0
        self.envelope.limit(tau, q, v, followed, margin_rad)
        if self.envelope.reason:
            self.damp()
        self._limit_torque(v_true)
        return tau

    def _receive(self) -> None:
        slots = len(self._arrived)
        newest = self._slot
        self._slot = oldest = newest + 1 if newest + 1 < slots else 0
        if self._arrived[oldest]:
            self._arrived[oldest] = False
            if not self.latched:
                self._follow.data[:] = self._ring[oldest]
                self._command = self._follow
                self.state = DriveState.FOLLOW
            self._silent_ticks = 0
            return
        self._silent_ticks += 1
        if self.state is DriveState.FOLLOW and self._silent_ticks >= WATCHDOG_TICKS:
            self.damp()

    def _limit_torque(self, v_true: Vector) -> None:
        """Clips `tau` to the torque limit, which falls near the speed limit in the direction of motion."""
        tau, work, bound = self.tau, self._work, self._bound
        np.subtract(self._speed_limit, v_true, out=work)
        work *= self._per_speed
        np.clip(work, 0.0, 1.0, out=work)
        np.multiply(self._limit, work, out=bound)
        np.minimum(tau, bound, out=tau)
        np.add(self._speed_limit, v_true, out=work)
        work *= self._per_speed
        np.clip(work, 0.0, 1.0, out=work)
        np.multiply(self._limit, work, out=bound)
        np.negative(bound, out=bound)
        np.maximum(tau, bound, out=tau)


def joint_inertia(robot: RobotModel) -> Vector:
    """Returns the (na,) inertia of each joint with all other joints free, at the nominal posture [kg m^2].

    This is 1 / (M^-1)_ii, the smallest effective inertia of the joint in this posture.
    """
    data = robot.pin_model.createData()
    inverse = pin.computeMinverse(robot.pin_model, data, robot.q_nominal)
    diagonal: Vector = np.diag(inverse)[robot.n_base :]
    return 1.0 / diagonal
