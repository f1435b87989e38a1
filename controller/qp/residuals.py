"""Compiled computation of joint torque and residuals from a solution, the same for every solver."""

from __future__ import annotations

from kilohertz.controller.problem.tables import (
    RES_BASE,
    RES_CONE,
    RES_FINITE,
    RES_INEQUALITY,
    RES_MOTION,
    RES_TAU,
    RES_VDOT,
    Contacts,
    Limits,
    Solution,
)
from kilohertz.controller.qp.whole_body_kinematics import dot
from kilohertz.robots.compile.kernels import inner_kernel, kernel
from kilohertz.robots.model.kin import MOMENT, NV_BASE, Floats, Kin


@inner_kernel
def zero_moment_point(k: Kin, contacts: Contacts, solution: Solution) -> None:
    """Writes the zero-moment point: at mean sole height, where the wrenches have no horizontal moment.

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
            if axis < MOMENT:
                gx += R[0, axis] * w[t]
                gy += R[1, axis] * w[t]
                gz += R[2, axis] * w[t]
            else:
                mx += R[0, axis - MOMENT] * w[t]
                my += R[1, axis - MOMENT] * w[t]
        fx, fy, fz = fx + gx, fy + gy, fz + gz
        mx += p[1] * gz - p[2] * gy
        my += p[2] * gx - p[0] * gz
    if n > 0 and fz > 1e-3:
        height /= n
        solution.zmp[0] = (fx * height - my) / fz
        solution.zmp[1] = (fy * height + mx) / fz


@inner_kernel
def inverse_dynamics(k: Kin, contacts: Contacts, solution: Solution) -> None:
    """Writes the joint torque for (vdot, wrench), and the residual of the base rows.

    The joint rows of M vdot + h - J' w are the torque; its base rows should be 0 and are the residual.
    """
    nv = len(k.v)
    nb = k.size[NV_BASE]
    tau, residual = solution.tau, solution.residual
    base = k.s[0:2]  # the six base rows of M vdot + h - J' w
    for i in range(nv):
        force = k.h[i] + dot(k.M[i], solution.vdot, nv)
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
    residual[RES_BASE] = 0.0
    for i in range(nb):
        residual[RES_BASE] = max(residual[RES_BASE], abs(base[i // 3, i % 3]))


@kernel
def torque_and_residuals(k: Kin, contacts: Contacts, limits: Limits, solution: Solution) -> None:
    """Writes the zero-moment point, the joint torque and the residual of every block but the inequalities."""
    zero_moment_point(k, contacts, solution)
    inverse_dynamics(k, contacts, solution)
    nv = len(k.v)
    nb = k.size[NV_BASE]
    vdot, residual, tau = solution.vdot, solution.residual, solution.tau
    residual[RES_TAU] = residual[RES_VDOT] = 0.0
    finite, motion, cone = 1.0, 0.0, 0.0
    for i in range(nv):
        if not (abs(vdot[i]) < 1e9):
            finite = 0.0
    for j in range(nv - nb):
        residual[RES_TAU] = max(residual[RES_TAU], abs(tau[j]) - limits.tau[j])
        residual[RES_VDOT] = max(residual[RES_VDOT], vdot[nb + j] - limits.vdot_upper[j])
        residual[RES_VDOT] = max(residual[RES_VDOT], limits.vdot_lower[j] - vdot[nb + j])
        if not (abs(tau[j]) < 1e9):
            finite = 0.0
    for c in range(len(contacts.offset)):
        if contacts.offset[c] < 0:
            continue
        f = contacts.frame[c]
        w = solution.wrench[c]
        for t in range(contacts.dim[c]):
            r = contacts.select[c, t]
            if contacts.rolls[c] != 0 and r == MOMENT:
                continue
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
    residual[RES_MOTION] = motion
    residual[RES_CONE] = cone
    residual[RES_FINITE] = finite


@kernel
def accepted(residual: Floats, tolerance: Floats) -> bool:
    """Returns whether a solution is finite, and dynamics, contact motion and wrench cones hold.

    Args:
        residual: (7,) residual of each block, at the indices RES_BASE to RES_INEQUALITY.
        tolerance: (7,) largest residual of each block that still counts as solved.
    """
    forces = residual[RES_BASE] <= tolerance[RES_BASE] and residual[RES_CONE] <= tolerance[RES_CONE]
    return bool(residual[RES_FINITE] == 1.0 and forces and residual[RES_MOTION] <= tolerance[RES_MOTION])


@kernel
def limits_hold(residual: Floats, tolerance: Floats) -> bool:
    """Returns whether torque limits, barriers and declared inequalities hold; see `accepted`."""
    joints = residual[RES_TAU] <= tolerance[RES_TAU] and residual[RES_VDOT] <= tolerance[RES_VDOT]
    return bool(joints and residual[RES_INEQUALITY] <= tolerance[RES_INEQUALITY])
