"""Compiled map from one component of a contact wrench to the rate of the centroidal momentum."""

from __future__ import annotations

from kilohertz.controller.problem.tables import Floats, Kin
from kilohertz.robots.compile.kernels import kernel


@kernel
def momentum_column(k: Kin, f: int, component: int, out: Floats) -> None:
    """Writes the momentum rate (world axes, about the centre of mass) per unit of a wrench component."""
    R = k.R[f]
    axis = component % 3
    r0, r1, r2 = R[0, axis], R[1, axis], R[2, axis]
    if component >= 3:
        out[0] = out[1] = out[2] = 0.0
        out[3], out[4], out[5] = r0, r1, r2
        return
    dx, dy, dz = k.p[f, 0] - k.p_WC[0], k.p[f, 1] - k.p_WC[1], k.p[f, 2] - k.p_WC[2]
    out[0], out[1], out[2] = r0, r1, r2
    out[3] = dy * r2 - dz * r1
    out[4] = dz * r0 - dx * r2
    out[5] = dx * r1 - dy * r0
