"""Friction of the joints that swing a point foot: learned from step to step, and added to the torque.

The friction of a joint is unknown, and a light shin is moved by torques that are smaller: 0.2 Nm let
Bolt's foot land 2 cm off, step for step to the same side, which is a robot that drifts. A point foot cannot
take back an error within a step, so its footholds have to be exact.

The law is that of Slotine and Li ("On the adaptive control of robot manipulators", IJRR 1987, eq. 9) with one
unknown number a joint, its friction F, and the regressor sign(v): with s = edot + lambda e, e being what the
joint lacks of where the foot should be, Fdot = gamma sign(v) s. A joint that lags rubs more than was thought.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import NV_BASE, Floats, Ints, Kin, X, Y, Z
from kilohertz.robots.model.robot_model import RobotModel

_RATE_PER_RAD = 0.11
"""Gamma, in torque limits."""
_MOST = 0.15
"""No joint is taken to rub more than this part of its torque limit."""
_SLOW_RAD_S = 0.3
"""A joint that is to move slower than this gets less: where it turns round, friction has no sign."""
_STRETCHED = 0.05
"""A leg that moves its foot nearly in one plane only tells nothing: volume of its Jacobian over its sides."""

LEG_JOINTS = 3


class FootReferences(NamedTuple):
    """Where the feet should be, as the controller writes it each tick."""

    values: Floats
    """References one after the other, those of the feet among them."""
    start: Ints
    """(nc,) where each foot's begins: position (3) [m], then velocity (3) [m/s], world axes."""


class SwingLegs(NamedTuple):
    """The legs, and the friction that is learned."""

    joints: Ints
    """(nc, LEG_JOINTS) columns of the velocity that belong to each leg."""
    rate_Nm: Floats
    """(na,) gamma [Nm/rad]."""
    most_Nm: Floats
    """(na,) largest friction that a joint is taken to have [Nm]."""
    lambda_per_s: Floats
    """(1,) rate at which the foot is brought to its reference."""
    friction: Floats
    """(na,) as learned [Nm]."""
    torque: Floats
    """(na,) to be added to this tick's torque [Nm]."""


class JointFriction:
    """Learns and compensates the friction in the joints of swinging legs.

    Args:
        robot: the robot.
        kin: kinematics of the tick, the contacts its first frames.
        feet: where the feet should be.
        lambda_per_s: rate at which the controller brings the swing foot to its reference.

    Attributes:
        lambda_per_s: (1,) as given; written anew where the gains of that task change.
        torque_Nm: (na,) to add to the torque of this tick.
        friction_Nm: (na,) as learned.
    """

    def __init__(self, robot: RobotModel, kin: Kin, feet: FootReferences, lambda_per_s: float) -> None:
        self.torque_Nm, self.friction_Nm = np.zeros(robot.na), np.zeros(robot.na)
        self.lambda_per_s = np.array([lambda_per_s])
        legs = SwingLegs(
            joints=np.array([leg_joints(robot, kin, foot) for foot in range(len(robot.contacts))], np.int64),
            rate_Nm=_RATE_PER_RAD * robot.torque_limit_Nm,
            most_Nm=_MOST * robot.torque_limit_Nm,
            lambda_per_s=self.lambda_per_s,
            friction=self.friction_Nm,
            torque=self.torque_Nm,
        )
        self._swing = bind(
            "joint_friction_kernel",
            [learn_friction],
            call={"foot": "i8", "dt_s": "f8"},
            structs={"k": kin, "feet": feet, "legs": legs},
        )

    def forget(self) -> None:
        """Resets the friction estimate (new robot, or temperature changed)."""
        self.friction_Nm[:] = 0.0
        self.torque_Nm[:] = 0.0

    def swing(self, foot: int, dt_s: float) -> None:
        """Takes a tick in which this foot swings, after its reference is written."""
        self._swing(foot, dt_s)

    def rest(self) -> None:
        """Takes a tick in which none does."""
        self.torque_Nm[:] = 0.0


def leg_joints(robot: RobotModel, kin: Kin, foot: int) -> list[int]:
    """Columns of the velocity that belong to the joints of a foot's leg."""
    return sorted(int(j) for j in kin.columns[foot, : kin.n_columns[foot]] if j >= robot.n_base)


def learns_friction(robot: RobotModel, kin: Kin) -> bool:
    """Whether this is a robot on point feet, each at the end of three joints."""
    return all(
        len(contact.corners_F) == 1 and len(leg_joints(robot, kin, foot)) == LEG_JOINTS
        for foot, contact in enumerate(robot.contacts)
    )


@kernel
def learn_friction(foot: int, dt_s: float, k: Kin, feet: FootReferences, legs: SwingLegs) -> None:
    """One tick of one swinging foot."""
    friction, torque = legs.friction, legs.torque
    torque[:] = 0.0
    a, b, c = legs.joints[foot, 0], legs.joints[foot, 1], legs.joints[foot, 2]
    Jf, R, vel = k.J[foot], k.R[foot], k.vel[foot]
    p_des = feet.values[feet.start[foot] : feet.start[foot] + 3]
    v_des = feet.values[feet.start[foot] + 3 : feet.start[foot] + 6]
    # Columns in the foot's axes: their adjugate over their determinant inverts them.
    ax, ay, az = Jf[X, a], Jf[Y, a], Jf[Z, a]
    bx, by, bz = Jf[X, b], Jf[Y, b], Jf[Z, b]
    cx, cy, cz = Jf[X, c], Jf[Y, c], Jf[Z, c]
    ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    wx, wy, wz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    zx, zy, zz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    volume = ax * ux + ay * uy + az * uz
    sides = (ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz) * (cx * cx + cy * cy + cz * cz)
    if volume * volume <= _STRETCHED * _STRETCHED * sides:
        return
    ex, ey, ez = p_des[X] - k.p[foot, X], p_des[Y] - k.p[foot, Y], p_des[Z] - k.p[foot, Z]
    for joint in range(LEG_JOINTS):
        j = legs.joints[foot, joint]
        gx, gy, gz = ux, uy, uz
        if joint == 1:
            gx, gy, gz = wx, wy, wz
        elif joint == 2:
            gx, gy, gz = zx, zy, zz
        # The same row of the inverse in the world's axes.
        hx = (R[X, X] * gx + R[X, Y] * gy + R[X, Z] * gz) / volume
        hy = (R[Y, X] * gx + R[Y, Y] * gy + R[Y, Z] * gz) / volume
        hz = (R[Z, X] * gx + R[Z, Y] * gy + R[Z, Z] * gz) / volume
        lacks = hx * ex + hy * ey + hz * ez
        slower = hx * v_des[X] + hy * v_des[Y] + hz * v_des[Z]
        slower -= (gx * vel[X] + gy * vel[Y] + gz * vel[Z]) / volume
        i = j - k.size[NV_BASE]
        sign = np.tanh((k.v[j] + slower) / _SLOW_RAD_S)
        learned = friction[i] + dt_s * legs.rate_Nm[i] * sign * (slower + legs.lambda_per_s[0] * lacks)
        friction[i] = min(max(learned, 0.0), legs.most_Nm[i])
        torque[i] = friction[i] * sign
