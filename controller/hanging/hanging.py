"""Hanging from a gantry: a soft posture while the tether carries the robot, and who carries it now.

While the robot hangs, the drives hold a posture by springs of the stiffness that the ladder of fallbacks uses
too, and the torques compensate the weight of the limbs. The posture moves from that in which the robot hung
at first, limp perhaps, to the nominal one. When the soles carry half of the robot, standing takes over from
the torques of that moment, which fade out; when they carry almost nothing, hanging takes over likewise.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators.interface import HangingEstimator
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector

_SPEED_RAD_S = 0.4
"""Mean speed of the joint that moves furthest to the nominal posture [rad/s]."""
_LEAST_S = 0.5
"""Shortest time of this motion, and time in which the springs come into force [s]."""
_FADE_S = 0.5
"""Time in which the torques of hanging fade out when standing takes over [s]."""
_CARRIED, _LEAST_EACH, _CARRIED_S = 0.5, 0.1, 0.1
"""Load on all soles and on each of them from which the robot stands, relative to its weight, and for how long
[s]."""
_LOST, _LOST_S = 0.2, 0.05
"""Load on all soles, relative to the weight, below which the robot hangs, and for how long [s]."""
_SMOOTH_S = 0.05
"""Time constant of the loads [s]: the accelerations in them scatter by a tenth of the weight."""
_BORNE, _BORNE_S = 0.85, 0.5
"""Load on all soles, relative to the weight, at which the tether is slack, and for how long [s]."""


class Hanging:
    """The posture of a robot that hangs, the load on its soles, and the torques between hanging and standing.

    Args:
        robot: the robot.
        body: the whole-body controller with this tick's kinematics.
        estimator: estimator that weighs the soles.

    Attributes:
        estimator: the argument.
        q_des: (na,) posture of this tick [rad].
        request: request that waits until the soles carry the robot; None if none does.
        settled: whether the nominal posture is reached.
    """

    def __init__(self, robot: RobotModel, body: WholeBody, estimator: HangingEstimator) -> None:
        self.estimator = estimator
        self.request: RequestRow | None = None
        self.settled = False
        self._kin = body.arrays.kin
        self._nq_base = robot.nq_base
        self._weight_N = robot.mass_kg * GRAVITY_M_S2
        self._limit = robot.torque_limit_Nm
        self._nominal: Vector = np.array(robot.q_nominal[robot.nq_base :])
        self._from, self.q_des, self._offset, self._applied, self._work = np.zeros((5, robot.na))
        self._share = np.zeros(len(robot.contacts))
        self._change = np.zeros(len(robot.contacts))
        self._t = self._moves_s = 0.0
        self._carried_s = self._lost_s = self._borne_s = 0.0
        self._first = False

    def start(self, tau: Vector) -> None:
        """Begins to hang in the present posture.

        Args:
            tau: (na,) torque of the last tick [Nm], from which the torques go on.
        """
        self._from[:] = self._kin.q[self._nq_base :]
        self.q_des[:] = self._from
        self._applied[:] = tau
        np.subtract(self._nominal, self._from, out=self._work)
        self._moves_s = max(_LEAST_S, float(np.abs(self._work).max()) / _SPEED_RAD_S)
        self._t = self._carried_s = 0.0
        self._first, self.settled = True, False
        self._share[:] = 0.0

    def advance(self, dt_s: float) -> None:
        """Moves the posture, and counts for how long the soles have carried the robot."""
        self._t += dt_s
        self.settled = self._t >= self._moves_s
        np.subtract(self._nominal, self._from, out=self.q_des)
        self.q_des *= minimum_jerk(self._t / self._moves_s)[0]
        self.q_des += self._from
        shares = self._shares(dt_s)
        on = sum(shares) > _CARRIED and min(shares) > _LEAST_EACH
        self._carried_s = self._carried_s + dt_s if on and self.settled else 0.0

    def _shares(self, dt_s: float) -> list[float]:
        """Returns the low-passed load on each sole, relative to the weight."""
        np.divide(self.estimator.sole_load_N, self._weight_N, out=self._change)
        self._change -= self._share
        self._change *= min(1.0, dt_s / _SMOOTH_S)
        self._share += self._change
        shares: list[float] = self._share.tolist()
        return shares

    @property
    def carried(self) -> bool:
        """Whether the soles have carried enough for long enough, in the nominal posture, to stand."""
        return self._carried_s >= _CARRIED_S

    def hold(self, command: CommandRow, tau: Vector) -> None:
        """Brings springs and torque into force, so that the torque has no step.

        Args:
            command: stiffness, damping and posture of this tick, and its torque; written.
            tau: (na,) torque that compensates the weight of the limbs; the torque of this tick is written.
        """
        part = minimum_jerk(self._t / _LEAST_S)[0]
        # The damping is in force at once: legs without torque and damping are limp, which drives refuse.
        command.kp *= part
        self._blend(tau, 1.0 - part)
        command.tau_ff[:] = tau
        np.subtract(command.q_des, self._kin.q[self._nq_base :], out=self._work)
        self._work *= command.kp
        self._applied[:] = tau
        self._applied += self._work

    def land(self) -> None:
        """Begins to stand: the torques of hanging fade out."""
        self._t = self._lost_s = self._borne_s = 0.0
        self._first = True

    def fade(self, command: CommandRow, tau: Vector, dt_s: float) -> bool:
        """Adds what is left of the torques of hanging.

        Args:
            command: its torque is written.
            tau: (na,) torque of standing; the torque of this tick is written.
            dt_s: time since the last tick [s].

        Returns:
            Whether nothing is left.
        """
        self._blend(tau, 1.0 - minimum_jerk(self._t / _FADE_S)[0])
        command.tau_ff[:] = tau
        self._t += dt_s
        return self._t >= _FADE_S

    def _blend(self, tau: Vector, part: float) -> None:
        """Adds a part of the difference between the torque before the change and the first one after it."""
        if self._first:
            self._first = False
            np.subtract(self._applied, tau, out=self._offset)
        np.multiply(self._offset, part, out=self._work)
        tau += self._work
        np.minimum(tau, self._limit, out=tau)
        np.negative(self._limit, out=self._work)
        np.maximum(tau, self._work, out=tau)

    def weigh(self, dt_s: float) -> None:
        """Counts for how long the soles of a robot that stands have carried almost nothing, or all of it."""
        load = sum(self._shares(dt_s))
        self._lost_s = self._lost_s + dt_s if load < _LOST else 0.0
        self._borne_s = self._borne_s + dt_s if load > _BORNE else 0.0

    def tether(self) -> None:
        """Begins to weigh the soles of a robot that stands."""
        self._lost_s = self._borne_s = 0.0
        self._share[:] = 1.0 / len(self._share)
        self.request = None

    @property
    def lost(self) -> bool:
        """Whether the soles have carried almost nothing for long enough to hang."""
        return self._lost_s >= _LOST_S

    @property
    def due(self) -> RequestRow | None:
        """The waiting request, once the soles have carried the robot for long enough; else None."""
        return self.request if self._borne_s >= _BORNE_S else None
