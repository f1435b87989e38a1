"""Adaptive friction compensation for the joints that swing a point foot.

The friction is estimated from step to step, and added to the joint torque. The friction of a joint is
unknown, and the torques that move a light shin are smaller than it: with 0.2 Nm of friction, the foot of Bolt
landed 2 cm off, in every step to the same side, so that the robot drifted. A point foot cannot correct an
error within a step, so that its footholds have to be exact.

The adaptation law is that of Slotine and Li ("On the adaptive control of robot manipulators", IJRR 1987,
eq. 9), with one unknown parameter per joint, its friction F, and the regressor sign(v):
Fdot = gamma sign(v) s with s = edot + lambda e, where e is the joint error that corresponds to the position
error of the foot. A joint that lags behind has more friction than estimated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import NV_BASE, Floats, Ints, Kin, X, Y, Z
from kilohertz.robots.model.robot_model import RobotModel

_RATE_PER_RAD = 0.11
"""Adaptation gain gamma, as a fraction of the torque limit of each joint [1/rad]."""
_MOST = 0.15
"""Largest friction that is estimated, as a fraction of the torque limit of each joint."""
_SLOW_RAD_S = 0.3
"""Reference speed below which the compensation is reduced [rad/s], because the sign of the friction changes
where the joint reverses."""
_STRETCHED = 0.05
"""Smallest determinant of a leg's Jacobian relative to the product of its column norms. Below it the leg
moves its foot nearly in one plane only, and the friction cannot be estimated."""

LEG_JOINTS = 3
"""Number of joints of each leg."""


class FootReferences(NamedTuple):
    """References of the feet, which the controller writes in each tick."""

    values: Floats
    """References of all tasks in one array, including those of the feet."""
    start: Ints
    """(nc,) start index of each foot: position (3) [m], then velocity (3) [m/s], in world axes."""


class SwingLegs(NamedTuple):
    """The joints of the legs, and their estimated friction."""

    joints: Ints
    """(nc, LEG_JOINTS) indices in the velocity vector v of the joints of each leg."""
    rate_Nm: Floats
    """(na,) adaptation gain gamma [Nm/rad]."""
    most_Nm: Floats
    """(na,) largest friction that is estimated for each joint [Nm]."""
    lambda_per_s: Floats
    """(1,) rate lambda at which the controller moves the foot to its reference [1/s]."""
    friction: Floats
    """(na,) estimated friction [Nm]."""
    torque: Floats
    """(na,) torque to add to the joint torques of this tick [Nm]."""


class JointFriction:
    """Estimates and compensates the friction in the joints of swinging legs.

    Args:
        robot: the robot.
        kin: kinematics of the tick, whose first frames are the contacts.
        feet: references of the feet.
        lambda_per_s: rate at which the controller moves the swing foot to its reference [1/s].

    Attributes:
        lambda_per_s: (1,) that rate [1/s]; to be updated when the gains of the swing-foot task change.
        torque_Nm: (na,) torque to add to the joint torques of this tick [Nm].
        friction_Nm: (na,) estimated friction [Nm].
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
        """Updates the estimate in a tick in which a foot swings; to be called after its reference is written.

        Args:
            foot: index of the swing foot.
            dt_s: period [s].
        """
        self._swing(foot, dt_s)

    def rest(self) -> None:
        """Sets the compensation torque to zero, in a tick in which no foot swings."""
        self.torque_Nm[:] = 0.0


def leg_joints(robot: RobotModel, kin: Kin, foot: int) -> list[int]:
    """Returns the indices in the velocity vector v of the joints that move a foot."""
    return sorted(int(j) for j in kin.columns[foot, : kin.n_columns[foot]] if j >= robot.n_base)


def learns_friction(robot: RobotModel, kin: Kin) -> bool:
    """Returns whether all contacts of the robot are point feet on legs with three joints."""
    return all(
        len(contact.corners_F) == 1 and len(leg_joints(robot, kin, foot)) == LEG_JOINTS
        for foot, contact in enumerate(robot.contacts)
    )


@kernel
def learn_friction(foot: int, dt_s: float, k: Kin, feet: FootReferences, legs: SwingLegs) -> None:
    """Updates the friction estimate and the compensation torque with one tick of a swing foot.

    Args:
        foot: index of the swing foot.
        dt_s: period [s].
        k: kinematics of the tick, whose first frames are the contacts.
        feet: references of the feet.
        legs: `friction` and `torque` are written.
    """
    friction, torque = legs.friction, legs.torque
    torque[:] = 0.0
    a, b, c = legs.joints[foot, 0], legs.joints[foot, 1], legs.joints[foot, 2]
    Jf, R, vel = k.J[foot], k.R[foot], k.vel[foot]
    p_des = feet.values[feet.start[foot] : feet.start[foot] + 3]
    v_des = feet.values[feet.start[foot] + 3 : feet.start[foot] + 6]
    # Columns of the leg's Jacobian in the foot's axes; its inverse is the adjugate over the determinant.
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
        # Row of the inverse Jacobian in world axes.
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
