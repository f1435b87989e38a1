"""Friction of the joints that swing a point foot: learned from step to step, and given to the drives on top.

What a joint rubs nobody knows, and against a light shin it weighs more than what moves it: 0.2 Nm let
Bolt's foot land 2 cm off, step for step to the same side, which is a robot that drifts. A point foot cannot
take back an error within a step, so its footholds have to be exact.

The law is that of Slotine and Li ("On the adaptive control of robot manipulators", IJRR 1987, eq. 9) with one
unknown number a joint, its friction F, and the regressor sign(v): with s = edot + lambda e, e being what the
joint lacks of where the foot should be, Fdot = gamma sign(v) s. A joint that lags rubs more than was thought.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.problem.tables import REF
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.rows import Vector

_RATE_PER_RAD = 0.11
"""Gamma, in torque limits."""
_MOST = 0.15
"""No joint is taken to rub more than this part of its torque limit."""
_SLOW_RAD_S = 0.3
"""A joint that is to move slower than this gets less: where it turns round, friction has no sign."""
_STRETCHED = 0.05
"""A leg that moves its foot nearly in one plane only tells nothing: volume of its Jacobian over its sides."""

LEG_JOINTS = 3


class JointFriction:
    """Learns and compensates what the joints of swinging legs rub.

    Args:
        body: the whole-body controller.
        lambda_per_s: rate at which the task of the swing foot brings it to its reference.

    Attributes:
        lambda_per_s: (1,) as given; written anew where the gains of that task change.
        torque_Nm: (na,) to add to the torque of this tick.
        friction_Nm: (na,) as learned.
    """

    def __init__(self, body: WholeBody, lambda_per_s: float) -> None:
        robot, kin, tasks = body.robot, body.arrays.kin, body.arrays.tasks
        self.torque_Nm, self.friction_Nm = np.zeros(robot.na), np.zeros(robot.na)
        self.lambda_per_s = np.array([lambda_per_s])
        rows = [body.task_index[f"{name}.position"] for name in robot.contact_names]
        self._swing = bind(
            "joint_friction_kernel",
            [learn_friction],
            call={"foot": "i8", "dt_s": "f8"},
            persistent={
                "leg": np.array([leg_joints(body, foot) for foot in range(len(robot.contacts))], np.int64),
                "start": np.array([tasks.table[row, REF] for row in rows], np.int64),
                "task_refs": tasks.ref,
                "R": kin.R,
                "p": kin.p,
                "vel": kin.vel,
                "J": kin.J,
                "v": kin.v,
                "n_base": kin.n_base,
                "rate_Nm": _RATE_PER_RAD * robot.torque_limit_Nm,
                "most_Nm": _MOST * robot.torque_limit_Nm,
                "lambda_per_s": self.lambda_per_s,
                "friction": self.friction_Nm,
                "torque": self.torque_Nm,
            },
        )

    def forget(self) -> None:
        """Another robot, or another day."""
        self.friction_Nm[:] = 0.0
        self.torque_Nm[:] = 0.0

    def swing(self, foot: int, dt_s: float) -> None:
        """Takes a tick in which this foot swings, after its reference is written."""
        self._swing(foot, dt_s)

    def rest(self) -> None:
        """Takes a tick in which none does."""
        self.torque_Nm[:] = 0.0


def leg_joints(body: WholeBody, foot: int) -> list[int]:
    """Columns of the velocity that belong to the joints of a foot's leg."""
    kin = body.arrays.kin
    return sorted(int(j) for j in kin.columns[foot, : kin.n_columns[foot]] if j >= body.robot.n_base)


def learns_friction(body: WholeBody) -> bool:
    """Whether this is a robot on point feet, each at the end of three joints."""
    return all(
        len(contact.corners_F) == 1 and len(leg_joints(body, foot)) == LEG_JOINTS
        for foot, contact in enumerate(body.robot.contacts)
    )


@kernel
def learn_friction(
    foot: int,
    dt_s: float,
    leg: Ints,
    start: Ints,
    task_refs: Floats,
    R: Floats,
    p: Floats,
    vel: Floats,
    J: Floats,
    v: Floats,
    n_base: Ints,
    rate_Nm: Vector,
    most_Nm: Vector,
    lambda_per_s: Vector,
    friction: Vector,
    torque: Vector,
) -> None:
    """One tick of one swinging foot; arrays as in `Kin`, `JointFriction` and its kernel's table."""
    torque[:] = 0.0
    a, b, c = leg[foot, 0], leg[foot, 1], leg[foot, 2]
    Jf, ref = J[foot], task_refs[start[foot] : start[foot] + 6]
    # Columns in the foot's axes: their adjugate over their determinant inverts them.
    ax, ay, az = Jf[0, a], Jf[1, a], Jf[2, a]
    bx, by, bz = Jf[0, b], Jf[1, b], Jf[2, b]
    cx, cy, cz = Jf[0, c], Jf[1, c], Jf[2, c]
    ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    wx, wy, wz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    zx, zy, zz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    volume = ax * ux + ay * uy + az * uz
    sides = (ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz) * (cx * cx + cy * cy + cz * cz)
    if volume * volume <= _STRETCHED * _STRETCHED * sides:
        return
    ex, ey, ez = ref[0] - p[foot, 0], ref[1] - p[foot, 1], ref[2] - p[foot, 2]
    for k in range(3):
        j = leg[foot, k]
        gx, gy, gz = ux, uy, uz
        if k == 1:
            gx, gy, gz = wx, wy, wz
        elif k == 2:
            gx, gy, gz = zx, zy, zz
        # The same row of the inverse in the world's axes.
        hx = (R[foot, 0, 0] * gx + R[foot, 0, 1] * gy + R[foot, 0, 2] * gz) / volume
        hy = (R[foot, 1, 0] * gx + R[foot, 1, 1] * gy + R[foot, 1, 2] * gz) / volume
        hz = (R[foot, 2, 0] * gx + R[foot, 2, 1] * gy + R[foot, 2, 2] * gz) / volume
        lacks = hx * ex + hy * ey + hz * ez
        slower = hx * ref[3] + hy * ref[4] + hz * ref[5]
        slower -= (gx * vel[foot, 0] + gy * vel[foot, 1] + gz * vel[foot, 2]) / volume
        i = j - n_base[0]
        sign = np.tanh((v[j] + slower) / _SLOW_RAD_S)
        learned = friction[i] + dt_s * rate_Nm[i] * sign * (slower + lambda_per_s[0] * lacks)
        friction[i] = min(max(learned, 0.0), most_Nm[i])
        torque[i] = friction[i] * sign
