"""Model of position servos as drives: they are sent positions, and apply a torque law of their own.

The servo's controller sees the position only through its quantised encoder, and takes positions of the same
resolution. The gains of a command are ignored, because those of a servo are set in the servo. Where other
drives damp, a servo holds its position: it has no other way to apply a torque that stops the joint.
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.wire.position_envelope import PositionEnvelope, position_numbers
from kilohertz.sim.actuators import Drives, DriveState


class Servos(Drives):
    """The position servos of all joints of a robot; arguments and attributes as for `Drives`.

    In the state DAMPING they hold the positions that they were sent last.
    """

    envelope: PositionEnvelope  # type: ignore[assignment]

    def _set_own_gains(self, robot: RobotModel, hold_q: Vector, hold_tau: Vector) -> None:
        servo = robot.servo
        assert servo is not None
        self.envelope = PositionEnvelope(position_numbers(robot))
        self._kp, self._kd, self._step = servo.stiffness_Nm_rad, servo.damping_Nms_rad, servo.step_rad
        for command in (self._hold, self._damping):
            # The error at which the servo's torque carries the robot.
            command.q_des[:] = hold_q + hold_tau / self._kp
            command.kp[:], command.kd[:] = self._kp, self._kd
        self._goal = self._hold.q_des.copy()

    def damp(self) -> None:
        """Holds the last positions, even if delayed commands are pending, until `rearm`."""
        if self.state is not DriveState.DAMPING:
            self._damping.q_des[:] = self._goal
        super().damp()

    def step(self, q: Vector, v: Vector, v_true: Vector) -> Vector:
        """Computes the servos' torque for the next period; arguments and result as for `Drives.step`."""
        self._receive()
        self._aim(q)
        tau, work = self.tau, self._work
        np.subtract(self._goal, q, out=tau)
        tau *= self._kp
        np.multiply(self._kd, v, out=work)
        tau -= work
        self._limit_torque(v_true)
        return tau

    def _aim(self, q: Vector) -> None:
        """Writes the position that the servos are sent into `_goal`, from the command and the envelope."""
        goal = self._goal
        follows = self.state is DriveState.FOLLOW
        np.copyto(goal, self._command.q_des)
        self.envelope.limit_positions(goal, q, follows)
        if self.envelope.reason and follows:
            self.damp()
        if self._step > 0.0:
            goal /= self._step
            np.rint(goal, out=goal)
            goal *= self._step


def drives_of(robot: RobotModel, hold_q: Vector, hold_tau: Vector, delay_ticks: int) -> Drives:
    """Returns the drives of a robot: servos, or drives that apply torques; arguments as for `Drives`.

    The rules of their envelope are compiled before this returns: no period of a served robot waits for them.
    """
    kind = Drives if robot.servo is None else Servos
    drives = kind(robot, hold_q, hold_tau, delay_ticks)
    load_pending()
    return drives
