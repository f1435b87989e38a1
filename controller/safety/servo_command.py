"""Commands of a robot with position servos: positions that follow from the solution of the QP.

The QP decides joint accelerations and torques from the measured state, as for any robot. The accelerations,
integrated twice, give a reference position. The servo is sent this reference, displaced so far that its
stiffness applies the torque of the QP and overcomes its own damping:

    q_des = q_ref + (tau + (servo damping + joint damping) v_ref) / stiffness

With an exact model the joint then moves as the QP decided, also with a soft servo, which would sag and lag
without the displacement. What remains, from friction and model errors, is in the measured state: the QP
corrects it, and the integration removes it. The position that is sent leads the measured one by a bounded
distance, so that a joint that was blocked does not jump when it is set free.
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector
from kilohertz.robots.model.servo import ServoModel

_SPEED_OF_LIMIT = 0.9
"""Largest speed of a reference position, relative to the joint's speed limit."""
_LEAD = 0.9
"""Largest lead of a commanded position, relative to the one that the robot's envelope allows."""


class ServoCommand:
    """Writes the commands of the servos; in place and without allocation.

    Args:
        robot: a robot with position servos.
        servo: its servos.

    Attributes:
        q_ref: (na,) reference positions [rad].
        v_ref: (na,) reference velocities [rad/s].
        q_des: (na,) positions of the last command [rad].
    """

    def __init__(self, robot: RobotModel, servo: ServoModel) -> None:
        self._kp, self._kd = servo.stiffness_Nm_rad, servo.damping_Nms_rad
        # The displacement that overcomes the damping, per velocity.
        self._ahead_s = (servo.damping_Nms_rad + servo.joint_damping_Nms) / servo.stiffness_Nm_rad
        self._lead = _LEAD * servo.lead_rad
        self._low, self._high = robot.position_lower_rad, robot.position_upper_rad
        self._fastest = _SPEED_OF_LIMIT * robot.velocity_limit_rad_s
        self._slowest = -self._fastest
        self.q_ref, self.v_ref, self.q_des, self._work, self._before = np.zeros((5, robot.na))

    def reset(self, q: Vector) -> None:
        """Starts from joints at rest at the measured positions (na,) [rad]."""
        self.q_ref[:] = self.q_des[:] = q
        self.v_ref[:] = 0.0

    def command(self, command: CommandRow, tau: Vector, vdot: Vector, q: Vector, dt_s: float) -> None:
        """Writes the command of one tick; hot path.

        Args:
            command: written: positions and the servos' gains; it carries no torque.
            tau: (na,) joint torques of the QP, within their limits [Nm].
            vdot: (na,) joint accelerations of the QP [rad/s^2].
            q: (na,) measured positions [rad].
            dt_s: time since the last tick; 0 to hold the last position, which is what a servo can do where
                other drives damp [s].
        """
        if dt_s > 0.0:
            self._advance(vdot, q, dt_s)
            q_des, work = self.q_des, self._work
            np.multiply(self._ahead_s, self.v_ref, out=q_des)
            np.divide(tau, self._kp, out=work)
            q_des += work
            q_des += self.q_ref
            self._near(q_des, q)
        else:
            self.v_ref[:] = 0.0
        command.q_des[:] = self.q_des
        command.kp[:], command.kd[:] = self._kp, self._kd
        command.v_des[:] = 0.0
        command.tau_ff[:] = 0.0

    def _advance(self, vdot: Vector, q: Vector, dt_s: float) -> None:
        """Integrates the accelerations; at a bound the velocity is the one that remains."""
        q_ref, v_ref, work = self.q_ref, self.v_ref, self._work
        np.copyto(self._before, q_ref)
        np.multiply(vdot, dt_s, out=work)
        v_ref += work
        np.multiply(v_ref, dt_s, out=work)
        q_ref += work
        self._near(q_ref, q)
        np.subtract(q_ref, self._before, out=v_ref)
        v_ref /= dt_s
        np.minimum(v_ref, self._fastest, out=v_ref)
        np.maximum(v_ref, self._slowest, out=v_ref)
        np.multiply(v_ref, dt_s, out=work)
        np.add(self._before, work, out=q_ref)

    def _near(self, position: Vector, q: Vector) -> None:
        """Brings positions near the measured ones and into the joints' range, in place."""
        work = self._work
        np.subtract(position, q, out=work)
        np.clip(work, -self._lead, self._lead, out=work)
        np.add(q, work, out=position)
        np.clip(position, self._low, self._high, out=position)
