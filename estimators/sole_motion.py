"""Motion of the middle of a standing sole that rotates about its centre of pressure.

A foot that carries a robot rocks on its edges and, with little load, rotates about the vertical. The point at
rest is then the centre of pressure and not the middle of the sole. On a walking humanoid this explains nearly
all of the creep of the stance foot: 50 mm/s sideways for a foot that rotates on its heel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.contact_detection import LARGEST_FORCE_N
from kilohertz.estimators.leg_kinematics import joint_column
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Entry of the settings vector of floating_base_tick that is read here.
LEAST_PRESSURE = 0


@kernel
def find_pressure(
    wrench: Array, R_BF: Array, sole_box: Array, settings: Array, p_FP: Array, margin: Array
) -> None:
    """Where the force acts on each sole, and how far that is from its edge.

    Args:
        wrench: (nc, 6) force [N] and moment about the contact frame's origin [Nm], in the base's axes.
        R_BF: (nc, 3, 3) orientation of the contact frames in the base.
        sole_box: (nc, 2, 2) least and greatest x, y of the corners [m].
        settings: LEAST_PRESSURE is the normal force below which a centre means nothing [N].
        p_FP: (nc, 2) written [m]: kept inside the sole; its middle where there is none.
        margin: (nc,) written: 1 in the middle, 0 at an edge or outside, -1 where there is next to no
            force; 1 also where the wrench is not known. A sole whose force acts at its edge may be rolling
            over it.
    """
    for c in range(len(margin)):
        p_FP[c, 0] = 0.0
        p_FP[c, 1] = 0.0
        margin[c] = -1.0
        normal, moment_x, moment_y = 0.0, 0.0, 0.0
        for i in range(3):
            normal += R_BF[c, i, 2] * wrench[c, i]
            moment_x += R_BF[c, i, 0] * wrench[c, 3 + i]
            moment_y += R_BF[c, i, 1] * wrench[c, 3 + i]
        if not abs(normal) < LARGEST_FORCE_N:
            margin[c] = 1.0
            continue
        if normal < settings[LEAST_PRESSURE]:
            continue
        margin[c] = 1.0
        for axis in range(2):
            at = -moment_y / normal if axis == 0 else moment_x / normal
            low, high = sole_box[c, 0, axis], sole_box[c, 1, axis]
            p_FP[c, axis] = min(max(at, low), high)
            half = 0.5 * (high - low)
            inside = min(at - low, high - at) / half if half > 0.0 else 0.0
            margin[c] = max(0.0, min(margin[c], inside))


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
