"""Compiled check of a solution: torque and residuals, the same for every solver."""

from __future__ import annotations

from controller.qp.kinematics import dot
from robots.compiled import kernel


@kernel
def torque_and_residuals(k, contacts, limits, solution):  # type: ignore[no-untyped-def]
    """Joint torque of (vdot, wrench) by inverse dynamics, and by how much every block is missed.

    tau = M vdot + h - J' w on the joint rows; what the same expression leaves on the base rows is the residual.
    """
    nv = len(k.v)
    nb = k.n_base[0]
    vdot, residual, tau = solution.vdot, solution.residual, solution.tau
    for r in range(6):
        residual[r] = 0.0
    finite = 1.0
    motion = 0.0
    cone = 0.0
    for i in range(nv):
        force = k.h[i] + dot(k.M[i], vdot, nv)
        for c in range(len(contacts.offset)):
            if contacts.offset[c] < 0:
                continue
            J, w = k.J[contacts.frame[c]], solution.wrench[c]
            for t in range(contacts.dim[c]):
                force -= J[contacts.select[c, t], i] * w[t]
        if i < nb:
            residual[0] = max(residual[0], abs(force))
        else:
            tau[i - nb] = force
            residual[3] = max(residual[3], abs(force) - limits.tau[i - nb])
            residual[4] = max(residual[4], vdot[i] - limits.vdot_upper[i - nb])
            residual[4] = max(residual[4], limits.vdot_lower[i - nb] - vdot[i])
        if not (abs(force) < 1e9) or not (abs(vdot[i]) < 1e9):
            finite = 0.0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        w = solution.wrench[c]
        for t in range(contacts.dim[c]):
            r = contacts.select[c, t]
            a = k.drift[f, r] + contacts.damping_per_s[c] * k.vel[f, r]
            for n in range(k.n_columns[f]):
                column = k.columns[f, n]
                a += k.J[f, r, column] * vdot[column]
            motion = max(motion, abs(a))
        for r in range(contacts.n_rows[c]):
            a = dot(contacts.cone[c, r], w, contacts.dim[c])
            cone = max(cone, a - contacts.upper[c, r], contacts.lower[c, r] - a)
            if not (abs(a) < 1e9):
                finite = 0.0
    residual[1] = motion
    residual[2] = cone
    residual[5] = finite
