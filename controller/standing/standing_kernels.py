"""Compiled references of standing, one call a tick; as NumPy expressions on (3,) arrays they took 12 us."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.tasks.com import A_WC, P_WC, V_WC
from kilohertz.controller.tasks.frame_orientation import R_WF
from kilohertz.robots.compile.kernels import exact_kernel, kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import N_CONTACTS, Floats, Ints, Kin, X, Y, Z

QUIET_M_S = 0.15
"""The integrals are held while the velocity error along a horizontal axis is above this [m/s]: a push is not
a constant disturbance."""


class StandingArrays(NamedTuple):
    """References of standing, and the quantities from which they are computed."""

    p_WS: Floats
    """(3,) mean of the contact frame positions in the world [m]."""
    R_des: Floats
    """(3, 3) heading of the soles: rotation about the vertical."""
    nominal_offset: Floats
    """(3,) nominal position of the centre of mass relative to the middle of the soles, heading axes [m]."""
    p_WC_des: Floats
    """(3,) reference position of the centre of mass in the world [m]."""
    v_WC_des: Floats
    """(3,) reference velocity of the centre of mass in the world [m/s]."""
    com_ref: Floats
    """Reference of the task `com`, indexed by P_WC, V_WC and A_WC."""
    references: Floats
    """References of all tasks, concatenated."""
    upright: Ints
    """Start indices in `references` for the links that are held upright."""


class ComOffset(NamedTuple):
    """Desired offset of the centre of mass from its nominal position, heading axes.

    Attributes:
        p: (3,) offset [m].
        v: (3,) its velocity [m/s].
        a: (3,) its acceleration [m/s^2].
    """

    p: Floats
    v: Floats
    a: Floats


class CarriedLoad(NamedTuple):
    """The weight of the robot with its load, and the references of the contact forces that carry it.

    The robot has n contacts whose normal force has a reference, and m point contacts whose force has one.
    """

    p_RC: Floats
    """(3,) vector from the centre of mass of the robot alone to that with its loads, world axes [m]."""
    own_height_m: Floats
    """(1,) nominal height of the centre of mass of the robot alone over the middle of its soles [m]."""
    normal: Ints
    """(n,) index in the references of all tasks of the normal force of each contact."""
    normal_share: Floats
    """(n,) fraction of the weight that it carries."""
    point: Ints
    """(m, 2) the same index of the first component of the force of each point contact, and its frame in
    `Kin`."""
    point_share: Floats
    """(m,) fraction of the weight that it carries."""


class ComIntegral(NamedTuple):
    """Integral action on the centre-of-mass error, per world axis; all arrays are (3,)."""

    lead_s: Floats
    """Lead time [s]: the integrand is the position error plus this times the velocity error."""
    ki: Floats
    """Integral gain [1/s^3]."""
    largest: Floats
    """Bound on the magnitude of `value` [m/s^2]."""
    value: Floats
    """Integral, added to the acceleration reference [m/s^2]."""


@exact_kernel
def bear_load(k: Kin, standing: StandingArrays, load: CarriedLoad) -> None:
    """Writes height and force references for a carried load; the robot itself keeps its height.

    The load raises the common centre of mass and adds to the normal forces of the soles.
    """
    standing.nominal_offset[Z] = load.own_height_m[0] + load.p_RC[Z]
    weight_N = k.mass[0] * GRAVITY_M_S2
    for i in range(len(load.normal)):
        standing.references[load.normal[i]] = load.normal_share[i] * weight_N
    # The axes of a point contact turn with its link: forces along them would push the feet apart as soon as
    # the legs leave the nominal posture.
    for i in range(len(load.point)):
        start, frame, force_N = load.point[i, 0], load.point[i, 1], load.point_share[i] * weight_N
        for r in range(3):
            standing.references[start + r] = k.R[frame, Z, r] * force_N


@kernel
def find_soles(k: Kin, standing: StandingArrays) -> None:
    """Writes the mean position and the heading of the soles into `standing.p_WS` and `standing.R_des`."""
    n, p_WS, R_des = k.size[N_CONTACTS], standing.p_WS, standing.R_des
    p_WS[:] = 0.0
    sine = cosine = 0.0
    for f in range(n):
        for r in range(3):
            p_WS[r] += k.p[f, r] / n
        sine += k.R[f, Y, X]
        cosine += k.R[f, X, X]
    length = np.sqrt(sine * sine + cosine * cosine)
    R_des[X, X] = R_des[Y, Y] = cosine / length
    R_des[Y, X] = sine / length
    R_des[X, Y] = -R_des[Y, X]


@kernel
def place_com(com: ComOffset, standing: StandingArrays) -> None:
    """Writes the centre-of-mass reference, from an offset in heading axes to world axes."""
    R_des, com_ref, p_WC_des, v_WC_des = (
        standing.R_des,
        standing.com_ref,
        standing.p_WC_des,
        standing.v_WC_des,
    )
    for r in range(3):
        p_WC_des[r] = standing.p_WS[r]
        v_WC_des[r] = 0.0
        com_ref[A_WC + r] = 0.0
        for c in range(3):
            p_WC_des[r] += R_des[r, c] * (com.p[c] + standing.nominal_offset[c])
            v_WC_des[r] += R_des[r, c] * com.v[c]
            com_ref[A_WC + r] += R_des[r, c] * com.a[c]
        com_ref[P_WC + r] = p_WC_des[r]
        com_ref[V_WC + r] = v_WC_des[r]


@kernel
def integrate_com(dt_s: float, k: Kin, standing: StandingArrays, integral: ComIntegral) -> None:
    """Adds the integral of the error to the acceleration reference.

    The integral has no leak. It is held, not reset, while the velocity error along a horizontal axis
    exceeds QUIET_M_S.
    """
    p_WC_des, v_WC_des, value = standing.p_WC_des, standing.v_WC_des, integral.value
    x, y = v_WC_des[X] - k.v_WC[X], v_WC_des[Y] - k.v_WC[Y]
    quiet = abs(x) <= QUIET_M_S and abs(y) <= QUIET_M_S
    for r in range(3):
        if quiet:
            error = p_WC_des[r] - k.p_WC[r] + integral.lead_s[r] * (v_WC_des[r] - k.v_WC[r])
            most = integral.largest[r]
            value[r] = min(max(value[r] + dt_s * integral.ki[r] * error, -most), most)
        standing.com_ref[A_WC + r] += value[r]


@kernel
def hold_upright(standing: StandingArrays) -> None:
    """Writes the heading of the soles as the reference orientation of the base and the trunk."""
    for start in standing.upright:
        for r in range(3):
            for c in range(3):
                standing.references[start + R_WF + 3 * r + c] = standing.R_des[r, c]
