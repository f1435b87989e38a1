"""Compiled map from one component of a contact wrench to the rate of the centroidal momentum."""

from __future__ import annotations

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import FX, FY, FZ, MOMENT, MX, MY, MZ, Floats, Kin


@kernel
def momentum_column(k: Kin, f: int, component: int, out: Floats) -> None:
    """Writes the momentum rate (6,) per unit of one wrench component into out.

    Args:
        k: kinematics.
        f: index of the contact's frame.
        component: index of the wrench component in the contact frame, 0 to 5.
        out: (6,) rate of linear and angular momentum about the centre of mass, world axes.
    """
    R = k.R[f]
    axis = component % MOMENT
    r0, r1, r2 = R[0, axis], R[1, axis], R[2, axis]
    if component >= MOMENT:
        out[FX] = out[FY] = out[FZ] = 0.0
        out[MX], out[MY], out[MZ] = r0, r1, r2
        return
    dx, dy, dz = k.p[f, 0] - k.p_WC[0], k.p[f, 1] - k.p_WC[1], k.p[f, 2] - k.p_WC[2]
    out[FX], out[FY], out[FZ] = r0, r1, r2
    out[MX] = dy * r2 - dz * r1
    out[MY] = dz * r0 - dx * r2
    out[MZ] = dx * r1 - dy * r0
