"""Behaviour `bow`: the trunk leans forward and comes back while the feet stay in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    Payload,
    Positive,
    UpperBodyParameters,
)
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.robots.model.robot_model import RobotModel

_ALONG = 0.9
"""Least cosine between the axis of a joint and the lateral axis for it to pitch the trunk."""
_OFF_THE_STOP_RAD = 0.05
_FASTEST_RAD_S2 = 6.0
"""Largest angular acceleration of the trunk that may be requested [rad/s^2]."""
_PEAK = 10.0 / math.sqrt(3.0)
"""Peak acceleration of a minimum-jerk move of 1 rad in 1 s [rad/s^2]."""


class Bow(Behaviour):
    """Lean the trunk forward by `angle_rad` and back within `period_s`, then stand; the feet do not move."""

    name = "bow"
    fields = (("angle_rad", 1), ("period_s", 1))

    class Parameters(UpperBodyParameters):
        """Parameters of `bow`.

        Attributes:
            angle_rad: largest forward pitch of the trunk, from upright [rad].
            period_s: time for leaning forward and coming back [s].
        """

        angle_rad: Positive
        period_s: Positive

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a bow that is deeper than the waist bends, or too quick."""
        most = _deepest_rad(robot)
        if most <= 0.0:
            raise BehaviourError((), f"'{robot.name}' has no joint that bends its trunk forward")
        if parameters.angle_rad > most:
            raise BehaviourError(
                ("angle_rad",),
                f"a bow of {parameters.angle_rad:.2f} rad is further than the waist of '{robot.name}' bends; "
                f"ask for at most {most:.2f} rad",
            )
        shortest_s = 2.0 * math.sqrt(_PEAK * parameters.angle_rad / _FASTEST_RAD_S2)
        if parameters.period_s < shortest_s:
            raise BehaviourError(
                ("period_s",),
                f"a bow of {parameters.angle_rad:.2f} rad within {parameters.period_s:g} s is too quick; ask "
                f"for a period_s of at least {shortest_s:.2f}",
            )

    def start(self, payload: Payload) -> None:
        """Stores angle and period."""
        self._angle_rad = float(payload["angle_rad"][0])
        self._half_s = 0.5 * float(payload["period_s"][0])

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Leans the trunk forward in a minimum-jerk move, and back in the same way."""
        half_s, angle = self._half_s, self._angle_rad
        s, slope, curvature = minimum_jerk(t_s / half_s if t_s < half_s else 2.0 - t_s / half_s)
        rate = slope if t_s < half_s else -slope
        reference.lean_forward(angle * s, angle * rate / half_s, angle * curvature / half_s**2)
        self.done = t_s >= 2.0 * half_s


def _deepest_rad(robot: RobotModel) -> float:
    """Returns how far the waist can pitch the trunk forward from the nominal posture [rad]."""
    model, trunk = robot.pin_model, robot.description.trunk
    if trunk is None or trunk == robot.base_link:
        return 0.0
    data = model.createData()
    pin.computeJointJacobians(model, data, robot.q_nominal)
    deepest = 0.0
    for j in model.supports[model.frames[model.getBodyId(trunk)].parentJoint]:
        joint = model.joints[j].idx_v - robot.n_base
        if joint < 0:
            continue
        along = float(pin.getJointJacobian(model, data, j, pin.WORLD)[4, robot.n_base + joint])
        if abs(along) > _ALONG:
            end = (robot.position_upper_rad if along > 0.0 else robot.position_lower_rad)[joint]
            deepest += abs(float(end - robot.q_nominal[robot.nq_base + joint])) - _OFF_THE_STOP_RAD
    return float(np.clip(deepest, 0.0, 0.5 * math.pi))
