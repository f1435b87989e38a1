"""Kinematics and dynamics of a robot in one tick, as arrays that compiled code reads.

The whole-body controller fills them; task kinds, behaviours and estimators read them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

X, Y, Z = range(3)
LINEAR, ANGULAR = 0, 3
"""Where the two halves of a spatial velocity or acceleration (6,) begin."""
FX, FY, FZ, MX, MY, MZ = range(6)
"""Components of a wrench: force, then moment; the same places are the motions that a contact blocks."""
MOMENT = MX
"""Components from here on are moments."""

QX, QY, QZ, QW = range(3, 7)
"""Places of the quaternion of a floating base in q."""

# Columns of `Kin.address`.
ROTATION, POSITION, V_LINEAR, V_ANGULAR, A_LINEAR, A_ANGULAR = range(6)
ORIGIN = 3
"""Row of `Kin.placement` that holds the position."""

# Entries of `Kin.size`.
NV_BASE, NQ_BASE, N_CONTACTS = range(3)
"""Entries of v (6 or 0) and of q (7 or 0) that belong to the base; contacts, which are the first frames."""


class Kin(NamedTuple):
    """Kinematics and dynamics of one tick, filled by the whole-body controller.

    Spatial vectors are (linear, angular) in the frame's own axes, as pinocchio's LOCAL. F frames.
    """

    q: Floats
    """(nq,) configuration."""
    v: Floats
    """(nv,) velocity."""
    M: Floats
    """(nv, nv) mass matrix; pinocchio's own memory."""
    h: Floats
    """(nv,) Coriolis, centrifugal and gravity forces; pinocchio's own memory."""
    Jw: Floats
    """(nv, 6) transposed joint Jacobians in the world; pinocchio's own memory."""
    address: Ints
    """(1 + F, 6) pinocchio's buffers of each parent joint, ROTATION to A_ANGULAR; row 0: the base."""
    placement: Floats
    """(F, 4, 3) rotation (3 rows) and position (row ORIGIN) of each frame in its parent joint."""
    R: Floats
    """(F, 3, 3) R_WF."""
    p: Floats
    """(F, 3) p_WF [m]."""
    vel: Floats
    """(F, 6) v_WF_F, w_WF_F."""
    drift: Floats
    """(F, 6) Jdot v: the frame's classical acceleration at vdot = 0."""
    J: Floats
    """(F, 6, nv) local Jacobian; columns that are not in `columns` stay 0."""
    columns: Ints
    """(F, nv) the first n_columns[f] entries: columns of v that move frame f."""
    n_columns: Ints
    """(F,)."""
    p_WC: Floats
    """(3,) centre of mass [m]."""
    v_WC: Floats
    """(3,) its velocity [m/s]."""
    L_C: Floats
    """(3,) angular momentum about the centre of mass, world axes [kg m^2/s]."""
    mass: Floats
    """(1,) [kg]."""
    size: Ints
    """(3,) NV_BASE, NQ_BASE, N_CONTACTS."""
    s: Floats
    """(8, 3) scratch rows: kinds may use them freely within one fill."""
