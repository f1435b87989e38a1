"""Fall detection and control: detect lost balance early, fold the limbs while the legs can brake, then damp.

During a fall the torque is neither zero nor at its limit: the position gains of the drives pull the joints to
the fold posture of robot.yaml, and their damping absorbs the energy. If the body is lowered early, its
potential energy becomes work of the knees instead of speed of the head (Fujiwara et al., "UKEMI: falling
motion control to minimize damage to biped humanoid robot", IROS 2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kilohertz.controller.gains.schema import FallGains
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector


class Falling:
    """Detects a fall and commands the drives during it.

    Args:
        robot: the robot.
        gains: gains of fall detection and of the fold.
        height_m: nominal height of the centre of mass over the soles [m].
        damping_Nms: (na,) damping of the last phase, on the ground [Nm s/rad].

    Attributes:
        active: whether the robot folds its limbs or lies on the ground after a fall.
        cos_tilt: cosine of the tilt of the base that counts as a fall.
    """

    def __init__(self, robot: RobotModel, gains: FallGains, height_m: float, damping_Nms: Vector) -> None:
        self.active = False
        self._fold = robot.fold_rad
        self._gains = gains
        self._omega = math.sqrt(GRAVITY_M_S2 / height_m)
        self._lowest_m = gains.lowest * height_m
        self.cos_tilt = math.cos(math.radians(gains.tilt_deg))
        self._reach_m = gains.reach * height_m
        self._kp = robot.torque_limit_Nm * gains.stiffness_per_rad
        self._kd = robot.torque_limit_Nm / gains.speed_rad_s
        self._damping = damping_Nms
        self._start = np.zeros(robot.na)
        self._target = np.zeros(robot.na)
        self._t = 0.0

    def reset(self) -> None:
        """Ends the fall, before the robot is controlled again."""
        self.active = False

    def lost(
        self, upright: float, p_SC: Sequence[float], v_WC: Sequence[float], half_sole: Sequence[float]
    ) -> str:
        """Returns why balance is lost, as one sentence; "" while it is not lost.

        Balance counts as lost if the base tilts too far, if the centre of mass is too low, or if the capture
        point, at which the robot would come to rest, is further from the soles than a step reaches.

        Args:
            upright: cosine of the base's tilt.
            p_SC: (3,) centre of mass relative to the middle of the soles, in heading axes [m].
            v_WC: (3,) velocity of the centre of mass, in heading axes [m/s].
            half_sole: (2,) half extents of the support, in heading axes [m].

        Source: Pratt et al., "Capture Point", Humanoids 2006, eq. 5.
        """
        if upright < self.cos_tilt:
            return "a fall: the base has tilted too far"
        if p_SC[2] < self._lowest_m:
            return "a fall: the centre of mass is too low"
        out_x = abs(p_SC[0] + v_WC[0] / self._omega) - half_sole[0]
        out_y = abs(p_SC[1] + v_WC[1] / self._omega) - half_sole[1]
        if max(out_x, out_y) > self._reach_m:
            return "a fall: the capture point is out of reach"
        return ""

    def start(self, q: Vector, p_SC: Sequence[float], v_WC: Sequence[float]) -> None:
        """Begins to fold the limbs into the posture for the direction of the fall.

        Args:
            q: (na,) present joint positions [rad].
            p_SC: as for `lost`.
            v_WC: as for `lost`.
        """
        self.active = True
        self._t = 0.0
        x = p_SC[0] + v_WC[0] / self._omega
        y = p_SC[1] + v_WC[1] / self._omega
        way = "sideways" if abs(y) > abs(x) else "forward" if x > 0.0 else "backward"
        self._start[:] = q
        self._target[:] = self._fold.get(way, self._start)

    def command(self, command: CommandRow, dt_s: float) -> None:
        """Writes position targets, stiffness and damping of the drives for this tick, and no torque."""
        gains = self._gains
        self._t += dt_s
        share = min(1.0, self._t / gains.fold_s)
        np.subtract(self._target, self._start, out=command.q_des)
        command.q_des *= share
        command.q_des += self._start
        if self._t < gains.hold_s:
            command.kp[:], command.kd[:] = self._kp, self._kd
        else:  # on the ground: low stiffness
            np.multiply(self._kp, gains.rest_stiffness, out=command.kp)
            command.kd[:] = self._damping
