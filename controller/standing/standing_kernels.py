"""Compiled references of standing, one call a tick: as NumPy expressions on three numbers they took 12 us."""

from __future__ import annotations

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints

QUIET_M_S = 0.15
"""Beyond this horizontal speed of the error the integrals wait: a push is no constant offset."""


@kernel
def find_soles(sole_p: Floats, sole_R: Floats, p_WS: Floats, R_des: Floats) -> None:
    """Middle and heading of the soles."""
    n = len(sole_p)
    p_WS[:] = 0.0
    sine = cosine = 0.0
    for f in range(n):
        for r in range(3):
            p_WS[r] += sole_p[f, r] / n
        sine += sole_R[f, 1, 0]
        cosine += sole_R[f, 0, 0]
    length = np.sqrt(sine * sine + cosine * cosine)
    R_des[0, 0] = R_des[1, 1] = cosine / length
    R_des[1, 0] = sine / length
    R_des[0, 1] = -R_des[1, 0]


@kernel
def place_com(
    com_p: Floats,
    com_v: Floats,
    com_a: Floats,
    nominal_offset: Floats,
    p_WS: Floats,
    R_des: Floats,
    p_WC_des: Floats,
    v_WC_des: Floats,
    com_ref: Floats,
) -> None:
    """Reference of the centre of mass: an offset in the heading frame of the soles, in world axes."""
    for r in range(3):
        p_WC_des[r] = p_WS[r]
        v_WC_des[r] = 0.0
        com_ref[6 + r] = 0.0
        for c in range(3):
            p_WC_des[r] += R_des[r, c] * (com_p[c] + nominal_offset[c])
            v_WC_des[r] += R_des[r, c] * com_v[c]
            com_ref[6 + r] += R_des[r, c] * com_a[c]
        com_ref[r] = p_WC_des[r]
        com_ref[3 + r] = v_WC_des[r]


@kernel
def integrate_com(
    dt_s: float,
    p_WC: Floats,
    v_WC: Floats,
    p_WC_des: Floats,
    v_WC_des: Floats,
    lead_s: Floats,
    ki: Floats,
    largest: Floats,
    integral: Floats,
    com_ref: Floats,
) -> None:
    """Adds the integral of the error; it leaks nothing, but waits while the robot is being thrown about."""
    x, y = v_WC_des[0] - v_WC[0], v_WC_des[1] - v_WC[1]
    quiet = abs(x) <= QUIET_M_S and abs(y) <= QUIET_M_S
    for r in range(3):
        if quiet:
            error = p_WC_des[r] - p_WC[r] + lead_s[r] * (v_WC_des[r] - v_WC[r])
            integral[r] = min(max(integral[r] + dt_s * ki[r] * error, -largest[r]), largest[r])
        com_ref[6 + r] += integral[r]


@kernel
def hold_upright(R_des: Floats, task_refs: Floats, upright: Ints) -> None:
    """Writes the heading of the soles as the orientation of the base and the trunk."""
    for start in upright:
        for r in range(3):
            for c in range(3):
                task_refs[start + 3 * r + c] = R_des[r, c]
