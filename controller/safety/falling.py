"""Fall detection and control: detect lost balance early, fold the limbs while the legs can brake, then damp.

During a fall the torque is neither zero nor at its limit: the position gains of the drives pull the joints to
the fold posture of robot.yaml, and their damping absorbs the energy. If the body is lowered early, its
potential energy becomes work of the knees instead of speed of the head (Fujiwara et al., "UKEMI: falling
motion control to minimize damage to biped humanoid robot", IROS 2002).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import FallGains
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import exact_kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import QX, QY, Floats, X, Y, Z
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, Vector

REASONS = (
    "",
    "a fall: the base has tilted too far",
    "a fall: the centre of mass is too low",
    "a fall: the capture point is out of reach",
)
"""Why balance is lost, as one sentence, by the result of `find_loss`."""
KEPT, TILTED, LOW, OUT_OF_REACH = range(len(REASONS))
COS_TILT, LOWEST_M, REACH_M, OMEGA = range(4)
"""Entries of `Balance.limits`."""


class CentreOfMass(NamedTuple):
    """Motion of the centre of mass in the world."""

    p_WC: Floats
    """(3,) position [m]."""
    v_WC: Floats
    """(3,) velocity [m/s]."""


class Balance(NamedTuple):
    """Motion of the centre of mass, and limits beyond which balance is lost."""

    p_WC: Floats
    """(3,) position of the centre of mass in the world [m]."""
    v_WC: Floats
    """(3,) its velocity [m/s]."""
    p_SC: Floats
    """(3,) position relative to the middle of the soles, heading axes [m]."""
    v_SC: Floats
    """(3,) velocity, heading axes [m/s]."""
    limits: Floats
    """(4,) cosine of the largest tilt, least height over the soles [m], reach beyond them [m], and natural
    frequency of the pendulum [1/s]."""


class Falling:
    """Detects a fall and commands the drives during it.

    Args:
        robot: the robot.
        gains: gains of fall detection and of the fold.
        height_m: nominal height of the centre of mass over the soles [m].
        damping_Nms: (na,) damping of the last phase, on the ground [Nm s/rad].
        centre: motion of the centre of mass, in persistent arrays.

    Attributes:
        active: whether the robot folds its limbs or lies on the ground after a fall.
        p_SC: (3,) centre of mass relative to the middle of the soles at the last check, heading axes [m].
        v_SC: (3,) velocity of the centre of mass at the last check, heading axes [m/s].
        cos_tilt: cosine of the tilt of the base that counts as a fall.
        lost: function that returns whether balance is lost, and why, as an index in REASONS. Its arguments
            are those of `find_loss` without the last. It updates `p_SC` and `v_SC`.
    """

    def __init__(
        self, robot: RobotModel, gains: FallGains, height_m: float, damping_Nms: Vector, centre: CentreOfMass
    ) -> None:
        self.active = False
        self._fold = robot.fold_rad
        self._gains = gains
        self._omega = math.sqrt(GRAVITY_M_S2 / height_m)
        self._lowest_m = gains.lowest * height_m
        self.cos_tilt = math.cos(math.radians(gains.tilt_deg))
        self._reach_m = gains.reach * height_m
        self.p_SC, self.v_SC = np.zeros(3), np.zeros(3)
        self.lost = bind(
            "fall_kernel",
            [find_loss],
            call={"q": "f8[::1]", "R_des": "f8[:,::1]", "p_WS": "f8[::1]", "half_support_m": "f8[::1]"},
            structs={
                "balance": Balance(
                    centre.p_WC,
                    centre.v_WC,
                    self.p_SC,
                    self.v_SC,
                    np.array([self.cos_tilt, self._lowest_m, self._reach_m, self._omega]),
                )
            },
            returns="i8",
        )
        self._kp = robot.torque_limit_Nm * gains.stiffness_per_rad
        self._kd = robot.torque_limit_Nm / gains.speed_rad_s
        self._damping = damping_Nms
        self._start = np.zeros(robot.na)
        self._target = np.zeros(robot.na)
        self._t = 0.0

    def reset(self) -> None:
        """Ends the fall, before the robot is controlled again."""
        self.active = False

    def start(self, q: Vector, p_SC: Sequence[float] | Vector, v_WC: Sequence[float] | Vector) -> None:
        """Begins to fold the limbs into the posture for the direction of the fall.

        Args:
            q: (na,) present joint positions [rad].
            p_SC: (3,) centre of mass relative to the middle of the soles, in heading axes [m].
            v_WC: (3,) velocity of the centre of mass, in heading axes [m/s].
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


@exact_kernel
def find_loss(q: Floats, R_des: Floats, p_WS: Floats, half_support_m: Floats, balance: Balance) -> int:
    """Returns whether balance is lost, and why.

    Balance counts as lost if the base tilts too far, if the centre of mass is too low, or if the capture
    point, at which the robot would come to rest, is further from the soles than a step reaches.

    Args:
        q: (nq,) configuration with the base.
        R_des: (3, 3) heading of the robot in the world, a rotation about the vertical.
        p_WS: (3,) middle of the soles in the world [m].
        half_support_m: (2,) half extents of the support, in heading axes [m].
        balance: motion of the centre of mass and limits; `p_SC` and `v_SC` are written.

    Returns:
        KEPT, TILTED, LOW or OUT_OF_REACH.

    Source: Pratt et al., "Capture Point", Humanoids 2006, eq. 5.
    """
    p_WC, v_WC, p_SC, v_SC, limits = balance.p_WC, balance.v_WC, balance.p_SC, balance.v_SC, balance.limits
    c, s = R_des[X, X], R_des[Y, X]
    x, y = p_WC[X] - p_WS[X], p_WC[Y] - p_WS[Y]
    p_SC[X], p_SC[Y], p_SC[Z] = c * x + s * y, c * y - s * x, p_WC[Z] - p_WS[Z]
    v_SC[X], v_SC[Y], v_SC[Z] = c * v_WC[X] + s * v_WC[Y], c * v_WC[Y] - s * v_WC[X], v_WC[Z]
    if 1.0 - 2.0 * (q[QX] * q[QX] + q[QY] * q[QY]) < limits[COS_TILT]:
        return TILTED
    if p_SC[Z] < limits[LOWEST_M]:
        return LOW
    for axis in (X, Y):
        if abs(p_SC[axis] + v_SC[axis] / limits[OMEGA]) - half_support_m[axis] > limits[REACH_M]:
            return OUT_OF_REACH
    return KEPT
