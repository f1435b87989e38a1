"""Compiled check of a solution: torque and residuals, the same for every solver."""

from __future__ import annotations

from kilohertz.controller.problem.tables import Contacts, Kin, Limits, Solution
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.robots.compile.kernels import inner_kernel, kernel


@inner_kernel
def zero_moment_point(k: Kin, contacts: Contacts, solution: Solution) -> None:
    """Where the sum of the contact wrenches meets the mean height of the soles without horizontal moment.

    Source: Sardain and Bessonnet, "Forces acting on a biped robot", IEEE T-SMC-A 2004, eq. 18.
    """
    fx = fy = fz = mx = my = height = 0.0
    n = 0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        R, p, w = k.R[f], k.p[f], solution.wrench[c]
        n += 1
        height += p[2]
        gx = gy = gz = 0.0
        for t in range(contacts.dim[c]):
            axis = contacts.select[c, t]
            if axis < 3:
                gx += R[0, axis] * w[t]
                gy += R[1, axis] * w[t]
                gz += R[2, axis] * w[t]
            else:
                mx += R[0, axis - 3] * w[t]
                my += R[1, axis - 3] * w[t]
        fx, fy, fz = fx + gx, fy + gy, fz + gz
        mx += p[1] * gz - p[2] * gy
        my += p[2] * gx - p[0] * gz
    if n > 0 and fz > 1e-3:
        height /= n
        solution.zmp[0] = (fx * height - my) / fz
        solution.zmp[1] = (fy * height + mx) / fz


@kernel
def torque_and_residuals(k: Kin, contacts: Contacts, limits: Limits, solution: Solution) -> None:
    """Joint torque of (vdot, wrench) by inverse dynamics, and by how much every block is missed.

    tau = M vdot + h - J' w on the joint rows; what the same expression leaves on the base rows is the
    residual.
    """
    zero_moment_point(k, contacts, solution)
    nv = len(k.v)
    nb = k.n_base[0]
    vdot, residual, tau = solution.vdot, solution.residual, solution.tau
    base = k.s[0:2]  # the six base rows
    for r in range(6):
        residual[r] = 0.0
    finite = 1.0
    motion = 0.0
    cone = 0.0
    for i in range(nv):
        force = k.h[i] + dot(k.M[i], vdot, nv)
        if i < nb:
            base[i // 3, i % 3] = force
        else:
            tau[i - nb] = force
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        for n in range(k.n_columns[f]):
            i = k.columns[f, n]
            force = 0.0
            for t in range(contacts.dim[c]):
                force += k.J[f, contacts.select[c, t], i] * solution.wrench[c, t]
            if i < nb:
                base[i // 3, i % 3] -= force
            else:
                tau[i - nb] -= force
    for i in range(nb):
        residual[0] = max(residual[0], abs(base[i // 3, i % 3]))
    for i in range(nv):
        if not (abs(vdot[i]) < 1e9):
            finite = 0.0
    for j in range(nv - nb):
        residual[3] = max(residual[3], abs(tau[j]) - limits.tau[j])
        residual[4] = max(residual[4], vdot[nb + j] - limits.vdot_upper[j])
        residual[4] = max(residual[4], limits.vdot_lower[j] - vdot[nb + j])
        if not (abs(tau[j]) < 1e9):
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
