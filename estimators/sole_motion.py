"""How the middle of a closed sole moves although it stands: it turns about its centre of pressure.

A foot that carries a robot rocks on its edges and, with little to hold it, turns about the vertical. The
point that stays on the ground then is not the middle of the sole but where the force acts. On a walking
humanoid this explains nearly all creep of the stance foot: 50 mm/s sideways where a foot turns on its heel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from estimators.kinematics import joint_column
from robots.compiled import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@kernel
def centre_of_pressure(R_BF: Array, wrench: Array, box: Array, least_force: float, p_FP: Array) -> None:
    """Where the force acts on a sole, kept inside the sole; its middle where the force is too small to tell.

    Args:
        R_BF: (3, 3) orientation of the contact frame in the base.
        wrench: (6,) force [N] and moment about the contact frame's origin [Nm], in the base's axes.
        box: (2, 2) least and greatest x, y of the corners [m].
        least_force: normal force below which nothing is known [N].
        p_FP: (2,) written [m].
    """
    normal = R_BF[0, 2] * wrench[0] + R_BF[1, 2] * wrench[1] + R_BF[2, 2] * wrench[2]
    if not normal > least_force:
        p_FP[0] = 0.0
        p_FP[1] = 0.0
        return
    moment_x = R_BF[0, 0] * wrench[3] + R_BF[1, 0] * wrench[4] + R_BF[2, 0] * wrench[5]
    moment_y = R_BF[0, 1] * wrench[3] + R_BF[1, 1] * wrench[4] + R_BF[2, 1] * wrench[5]
    p_FP[0] = min(max(-moment_y / normal, box[0, 0]), box[1, 0])
    p_FP[1] = min(max(moment_x / normal, box[0, 1]), box[1, 1])


@kernel
def sole_velocity(
    w_B: Array,
    joint_velocity: Array,
    joint_address: IntArray,
    joint_axis: Array,
    support: IntArray,
    R_BF: Array,
    p_BF: Array,
    p_FP: Array,
    velocity: Array,
    column: Array,
) -> None:
    """Velocity of a sole's middle while its centre of pressure rests.

    Args:
        w_B: (3,) angular velocity of the base, in its own axes [rad/s].
        joint_velocity: (na,) [rad/s].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        support: (na,) 1 where a joint moves the sole.
        R_BF: (3, 3) orientation of the contact frame in the base.
        p_BF: (3,) its origin [m].
        p_FP: (2,) centre of pressure in the contact frame [m].
        velocity: (3,) in the base's axes, written [m/s].
        column: (6,) scratch.
    """
    x, y, z = w_B[0], w_B[1], w_B[2]
    for j in range(joint_velocity.shape[0]):
        if support[j] != 0:
            joint_column(joint_address[j], joint_axis[j], p_BF, column)
            x += column[3] * joint_velocity[j]
            y += column[4] * joint_velocity[j]
            z += column[5] * joint_velocity[j]
    # From the centre of pressure to the middle, in the base's axes.
    a = -R_BF[0, 0] * p_FP[0] - R_BF[0, 1] * p_FP[1]
    b = -R_BF[1, 0] * p_FP[0] - R_BF[1, 1] * p_FP[1]
    c = -R_BF[2, 0] * p_FP[0] - R_BF[2, 1] * p_FP[1]
    velocity[0] = y * c - z * b
    velocity[1] = z * a - x * c
    velocity[2] = x * b - y * a
