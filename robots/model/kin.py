"""Kinematics and dynamics of a robot in one tick, as arrays for compiled code.

The whole-body controller writes them; tasks, behaviours and estimators read them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

X, Y, Z = range(3)
LINEAR, ANGULAR = 0, 3
"""Index of the first linear and of the first angular component of a spatial velocity or acceleration (6,)."""
FX, FY, FZ, MX, MY, MZ = range(6)
"""Components of a wrench (6,): force, then moment.

The same indices denote the motions that a contact prevents.
"""
MOMENT = MX
"""Index of the first moment in a wrench (6,)."""

QX, QY, QZ, QW = range(3, 7)
"""Indices in q of the quaternion of a floating base."""

# Columns of `Kin.address`.
ROTATION, POSITION, V_LINEAR, V_ANGULAR, A_LINEAR, A_ANGULAR = range(6)
ORIGIN = 3
"""Row of a frame's `Kin.placement` that holds the position."""

# Entries of `Kin.size`.
NV_BASE, NQ_BASE, N_CONTACTS = range(3)
"""Number of entries of v (6 or 0) and of q (7 or 0) that belong to the base, and number of contacts.

The contacts are the first frames.
"""


class Kin(NamedTuple):
    """Kinematics and dynamics of one tick, filled by the whole-body controller.

    Spatial vectors are (linear, angular) in the frame's own axes, as with pinocchio's LOCAL. In the shapes
    below, F is the number of frames.
    """

    q: Floats
    """(nq,) configuration, in pinocchio's convention."""
    v: Floats
    """(nv,) velocity, in pinocchio's convention."""
    M: Floats
    """(nv, nv) mass matrix; a view of pinocchio's memory."""
    h: Floats
    """(nv,) Coriolis, centrifugal and gravity forces; a view of pinocchio's memory."""
    Jw: Floats
    """(nv, 6) transposed joint Jacobians in the world; a view of pinocchio's memory."""
    address: Ints
    """(1 + F, 6) addresses of pinocchio's buffers for the parent joint of each frame, ROTATION to A_ANGULAR.

    Row 0 belongs to the base.
    """
    placement: Floats
    """(F, 4, 3) rotation (3 rows) and position (row ORIGIN) [m] of each frame in its parent joint."""
    R: Floats
    """(F, 3, 3) orientation R_WF of each frame in the world."""
    p: Floats
    """(F, 3) position p_WF of each frame in the world [m]."""
    vel: Floats
    """(F, 6) velocity of each frame, v_WF_F [m/s] and w_WF_F [rad/s]."""
    drift: Floats
    """(F, 6) product Jdot v, which is the classical acceleration of each frame at vdot = 0."""
    J: Floats
    """(F, 6, nv) Jacobian of each frame in its own axes; columns that are not in `columns` stay 0."""
    columns: Ints
    """(F, nv) indices of the entries of v that move frame f: the first n_columns[f] entries of row f."""
    n_columns: Ints
    """(F,) number of valid entries in each row of `columns`."""
    p_WC: Floats
    """(3,) position of the centre of mass in the world [m]."""
    v_WC: Floats
    """(3,) velocity of the centre of mass in the world [m/s]."""
    L_C: Floats
    """(3,) angular momentum about the centre of mass, in world axes [kg m^2/s]."""
    mass: Floats
    """(1,) mass of the robot [kg]."""
    size: Ints
    """(3,) sizes: NV_BASE, NQ_BASE, N_CONTACTS."""
    s: Floats
    """(8, 3) scratch memory, which each kind of task may overwrite while it fills its rows."""
