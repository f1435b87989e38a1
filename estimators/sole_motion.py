"""Motion of the middle of a standing sole that rotates about its centre of pressure.

A foot that carries a robot rocks on its edges and, with little load, rotates about the vertical. The point at
rest is then the centre of pressure and not the middle of the sole. On a walking humanoid this explains nearly
all of the creep of the stance foot: 50 mm/s sideways for a foot that rotates on its heel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.contact_detection import LARGEST_FORCE_N, Contacts, Detection
from kilohertz.estimators.leg_kinematics import KinematicTables, joint_column
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]


@struct_kernel
def find_pressure(contacts: Contacts, detection: Detection) -> None:
    """Computes the centre of pressure of each sole, and its distance from the edge of the sole.

    The centre of pressure is limited to the sole; without load, or if the wrench is not known, the origin of
    the contact frame is used. The margin is 1 in the middle of the sole, 0 at an edge or outside, -1 with
    almost no load, and 1 if the wrench is unknown or a force sensor contradicts it. A sole with a small
    margin may be rolling over its edge.

    Args:
        contacts: the contacts; their wrenches and normal forces are read, `p_FP` and `margin` are written.
        detection: thresholds; below `make_N` a contact has almost no load, and no centre of pressure.
    """
    wrench, R_BF, sole_box = contacts.wrench_B, contacts.R_BF, contacts.sole_box
    p_FP, margin = contacts.p_FP, contacts.margin
    for c in range(len(margin)):
        p_FP[c, 0] = 0.0
        p_FP[c, 1] = 0.0
        margin[c] = -1.0
        # Without a sensor, the force is that of the wrench.
        force = contacts.force_N[c]
        if force < detection.make_N:
            continue
        normal, moment_x, moment_y = 0.0, 0.0, 0.0
        for i in range(3):
            normal += R_BF[c, i, 2] * wrench[c, i]
            moment_x += R_BF[c, i, 0] * wrench[c, 3 + i]
            moment_y += R_BF[c, i, 1] * wrench[c, 3 + i]
        margin[c] = 1.0
        # Torques that are not measured, or zero, contradict a sensor that reports load.
        if not (normal >= detection.make_N and normal < LARGEST_FORCE_N):
            continue
        for axis in range(2):
            at = -moment_y / normal if axis == 0 else moment_x / normal
            low, high = sole_box[c, 0, axis], sole_box[c, 1, axis]
            p_FP[c, axis] = min(max(at, low), high)
            half = 0.5 * (high - low)
            inside = min(at - low, high - at) / half if half > 0.0 else 0.0
            margin[c] = max(0.0, min(margin[c], inside))


@struct_kernel
def sole_velocity(
    c: int,
    w_B: Array,
    joint_velocity: Array,
    tables: KinematicTables,
    contacts: Contacts,
    velocity: Array,
    column: Array,
) -> None:
    """Computes the motion of the middle of a sole whose centre of pressure is at rest.

    Args:
        c: index of the contact, and of its frame in the tables.
        w_B: (3,) angular velocity of the base, in its own axes [rad/s].
        joint_velocity: (na,) joint velocities [rad/s].
        tables: kinematic tables whose first frames are the contacts.
        contacts: poses of the contacts in the base frame, and their centres of pressure; `spin`, in the
            base's axes, is written.
        velocity: (3,) velocity of the middle of the sole, in the base's axes [m/s]; written.
        column: (6,) scratch.
    """
    support, R_BF, p_FP = tables.frame_support[c], contacts.R_BF[c], contacts.p_FP[c]
    x, y, z = w_B[0], w_B[1], w_B[2]
    for j in range(joint_velocity.shape[0]):
        if support[j] != 0:
            joint_column(tables.joint_address[j], tables.joint_axis[j], contacts.p_BF[c], column)
            x += column[3] * joint_velocity[j]
            y += column[4] * joint_velocity[j]
            z += column[5] * joint_velocity[j]
    spin = contacts.spin[c]
    spin[0], spin[1], spin[2] = x, y, z
    # Vector from the centre of pressure to the middle of the sole, in the base's axes.
    to_x = -R_BF[0, 0] * p_FP[0] - R_BF[0, 1] * p_FP[1]
    to_y = -R_BF[1, 0] * p_FP[0] - R_BF[1, 1] * p_FP[1]
    to_z = -R_BF[2, 0] * p_FP[0] - R_BF[2, 1] * p_FP[1]
    velocity[0] = y * to_z - z * to_y
    velocity[1] = z * to_x - x * to_z
    velocity[2] = x * to_y - y * to_x
