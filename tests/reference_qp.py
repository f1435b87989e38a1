"""Builds the whole-body problem independently with pinocchio as a dense QP, and solves it with quadprog.

The controller's own arithmetic is not used: frames, tasks, dynamics and limits are computed from pinocchio's
functions; only the declarations, references and wrench cones are read from the controller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pinocchio as pin
import quadprog

from kilohertz.controller.whole_body.whole_body import BarrierSettings, Inequality, Task, WholeBody

_FORCE_UNIT_N = 100.0


@dataclass
class Reference:
    """Solution of the reference QP; `active_*` are the numbers of constraints at their bound."""

    vdot: Any
    wrench: Any
    tau: Any
    active_cone: int
    active_torque: int
    active_barrier: int
    active_inequality: int


class Dynamics:
    """Dynamics at one state from pinocchio; contact and frame quantities are in the frames' own axes."""

    def __init__(self, body: WholeBody, q: Any, v: Any) -> None:
        self.body, self.model = body, body.robot.pin_model
        self.data = data = self.model.createData()
        self.q, self.v = q, v
        nv = self.model.nv
        M = pin.crba(self.model, data, q)
        self.M = np.triu(M) + np.triu(M, 1).T
        self.h = pin.nonLinearEffects(self.model, data, q, v).copy()
        pin.computeJointJacobians(self.model, data, q)
        pin.forwardKinematics(self.model, data, q, v, np.zeros(nv))
        pin.updateFramePlacements(self.model, data)

    def frame(self, name: str, R_FC: Any = None) -> tuple[pin.SE3, Any, Any, Any]:
        """Returns placement, velocity, drift and Jacobian of a frame, optionally rotated by R_FC."""
        f = self.model.getFrameId(name)
        R = np.eye(3) if R_FC is None else R_FC
        X = np.kron(np.eye(2), R.T)
        placement = self.data.oMf[f] * pin.SE3(R, np.zeros(3))
        velocity = X @ pin.getFrameVelocity(self.model, self.data, f, pin.LOCAL).vector
        drift = X @ pin.getFrameClassicalAcceleration(self.model, self.data, f, pin.LOCAL).vector
        return placement, velocity, drift, X @ pin.getFrameJacobian(self.model, self.data, f, pin.LOCAL)

    def com(self) -> tuple[Any, Any, Any, Any]:
        """Returns position, velocity, drift and Jacobian of the centre of mass in the world."""
        data = self.model.createData()
        pin.centerOfMass(self.model, data, self.q, self.v, np.zeros(self.model.nv))
        J = pin.jacobianCenterOfMass(self.model, self.model.createData(), self.q)
        return data.com[0].copy(), data.vcom[0].copy(), data.acom[0].copy(), J

    def angular_momentum(self) -> tuple[Any, Any, Any]:
        """Returns angular momentum about the centre of mass, its drift and its matrix, in world axes."""
        data = self.model.createData()
        pin.dccrba(self.model, data, self.q, self.v)
        return (data.Ag @ self.v)[3:], (data.dAg @ self.v)[3:], data.Ag[3:].copy()


def task_rows(body: WholeBody, dynamics: Dynamics, task: Task | Inequality) -> tuple[Any, Any]:
    """Returns the rows of a task on vdot and their desired values."""
    ref, gain = body.reference(task.name), body.gain(task.name)
    if task.kind == "com":
        p, v, drift, J = dynamics.com()
        return J, gain[:3] * (ref[:3] - p) + gain[3:6] * (ref[3:6] - v) + ref[6:9] - drift
    if task.kind == "angular_momentum":
        L, drift, J = dynamics.angular_momentum()
        return J, gain[0] * (ref[:3] - L) + ref[3:6] - drift
    if task.kind == "joint":
        robot = body.robot
        j = robot.joint_names.index(str(task.frame))
        J = np.zeros((1, robot.nv))
        J[0, robot.n_base + j] = 1.0
        error = gain[0] * (ref[0] - dynamics.q[robot.nq_base + j])
        return J, np.array([error + gain[1] * (ref[1] - dynamics.v[robot.n_base + j]) + ref[2]])
    placement, v, drift, J = dynamics.frame(str(task.frame))
    R = placement.rotation
    if task.kind == "frame_coordinate":
        direction = ref[:3] @ R
        b = gain[0] * (ref[3] - ref[:3] @ placement.translation) + gain[1] * (ref[4] - direction @ v[:3])
        return direction[None] @ J[:3], np.array([b + ref[5] - direction @ drift[:3]])
    if task.kind == "frame_position":
        b = (
            gain[0] * R.T @ (ref[:3] - placement.translation)
            + gain[1] * (R.T @ ref[3:6] - v[:3])
            + R.T @ ref[6:9]
        )
        return J[:3], b - drift[:3]
    if task.kind == "frame_orientation":
        error = pin.log3(R.T @ ref[:9].reshape(3, 3))
        return J[3:], gain[0] * error + gain[1] * (R.T @ ref[9:12] - v[3:]) + R.T @ ref[12:15] - drift[3:]
    assert task.kind == "frame_pose"
    error = pin.log6(placement.actInv(pin.SE3(ref[:9].reshape(3, 3), ref[9:12]))).vector
    v_des, a_des = (np.r_[R.T @ ref[k : k + 3], R.T @ ref[k + 3 : k + 6]] for k in (12, 18))
    kp, kd = np.repeat(gain[[0, 2]], 3), np.repeat(gain[[1, 3]], 3)
    return J, kp * error + kd * (v_des - v) + a_des - drift


def wrench_rows(
    body: WholeBody, dynamics: Dynamics, task: Task | Inequality, slots: list[int], at: list[slice], n: int
) -> Any:
    """Returns the rows on x of a task on the wrenches of closed contacts; their desired value is 0."""
    ref, c = body.reference(task.name), body.robot.contact_names.index(str(task.frame))
    select = list(body.geometry[c].select)
    if task.kind == "cop":
        # The moment about the reference is 0 if that is the centre of pressure: columns of m - ref x f.
        rows, start = np.zeros((2, n)), at[slots.index(c)].start
        for component, about_x, about_y in ((2, -ref[1], ref[0]), (3, 1.0, 0.0), (4, 0.0, 1.0)):
            if component in select:
                rows[:, start + select.index(component)] = -about_y, about_x
        return rows * np.array([[4 in select], [3 in select]])
    assert task.kind == "force_share"
    row = np.zeros((1, n))
    for slot, i in zip(slots, at, strict=True):
        geometry = body.geometry[slot]
        name = body.robot.pin_model.frames[body.robot.contacts[slot].frame_id].name
        R = dynamics.frame(name, geometry.R_FC)[0].rotation
        for t, component in enumerate(geometry.select):
            if component < 3:
                row[0, i.start + t] = ((slot == c) - ref[0]) * R[2, component]
    return row


def braking(left: Any, v: Any, a: Any, rate: float) -> Any:
    """Returns the largest acceleration towards the limit of joints that can decelerate with a [rad/s^2]."""
    left = left - 0.01 * v
    corner = a / rate**2
    fastest = np.where(left < corner, rate * left, np.sqrt(a * np.maximum(2.0 * left - corner, corner)))
    slope = np.where(left < corner, rate, a / np.where(left < corner, 1.0, fastest))
    return 2.0 * rate * (fastest - v) - slope * v


def deceleration(body: WholeBody, dynamics: Dynamics, outwards: Any) -> Any:
    """Returns the deceleration that each joint's torque allows if no other joint accelerates more."""
    left_Nm = body.arrays.limits.tau + outwards * dynamics.h
    return np.maximum(0.6 * left_Nm / np.abs(dynamics.M).sum(axis=1), 2.0)


def barrier_bounds(body: WholeBody, barrier: BarrierSettings, q: Any, v: Any) -> tuple[Any, Any]:
    """Returns lower and upper bounds of the joint accelerations [rad/s^2]."""
    robot, b = body.robot, barrier
    dynamics = Dynamics(body, q, v)
    q, v = q[robot.nq_base :], v[robot.n_base :]
    upper = np.minimum(
        b.position_per_s2 * (robot.position_upper_rad - q) - b.damping_per_s * v,
        b.velocity_per_s * (robot.velocity_limit_rad_s - v),
    )
    lower = np.maximum(
        b.position_per_s2 * (robot.position_lower_rad - q) - b.damping_per_s * v,
        -b.velocity_per_s * (robot.velocity_limit_rad_s + v),
    )
    if not robot.floating:
        a = deceleration(body, dynamics, np.where(v > 0.0, 1.0, -1.0))
        left = np.where(v > 0.0, robot.position_upper_rad - q, q - robot.position_lower_rad)
        most = braking(left, np.abs(v), a, b.position_per_s2 / b.damping_per_s)
        upper = np.where(v > 0.0, np.minimum(upper, most), upper)
        lower = np.where(v > 0.0, lower, np.maximum(lower, -most))
    upper = np.clip(upper, -b.largest_rad_s2, 10 * b.largest_rad_s2)
    lower = np.clip(lower, -10 * b.largest_rad_s2, b.largest_rad_s2)
    middle = 0.5 * (lower + upper)
    crossed = lower > upper
    return np.where(crossed, middle, lower), np.where(crossed, middle, upper)


@dataclass
class Problem:
    """min 1/2 x'Hx + g'x, A_eq x = b_eq, A x <= b, with x = (vdot, wrenches of the closed contacts)."""

    H: Any
    g: Any
    A_eq: Any
    b_eq: Any
    A: Any
    b: Any
    S: Any
    """(nv, n) S x + h is the generalised force: 0 on the base, tau on the joints."""
    h: Any
    slots: list[int]
    at: list[slice]
    """Where each closed contact's wrench is in x."""
    blocks: list[int]
    """Number of rows of A that are cones, torque limits, barriers, declared inequalities."""

    def cost(self, x: Any) -> float:
        return float(0.5 * x @ self.H @ x + self.g @ x)


def dense_problem(
    body: WholeBody,
    q: Any,
    v: Any,
    barrier: BarrierSettings,
    closed: Sequence[str] | None = None,
    enabled: Sequence[str] | None = None,
) -> Problem:
    """Returns the problem of `body` at (q, v), with all limits included from the start."""
    robot, nv, nb = body.robot, body.robot.nv, body.robot.n_base
    closed = robot.contact_names if closed is None else closed
    enabled = [task.name for task in body.declared] if enabled is None else enabled
    d = Dynamics(body, q, v)
    slots = [robot.contact_names.index(name) for name in closed]
    starts = [nv, *(nv + np.cumsum([len(body.geometry[c].select) for c in slots]).astype(int))]
    at = [slice(start, stop) for start, stop in pairwise(starts)]
    n = int(starts[-1])
    H, g = np.zeros((n, n)), np.zeros(n)
    H[nb:nv, nb:nv] += 1e-8 * np.eye(robot.na)
    H[nv:, nv:] += 1e-12 * np.eye(n - nv)
    for name in enabled:
        task, ref, w = body.declared[body.task_index[name]], body.reference(name), body.weight(name)
        if task.kind == "posture":
            gain, na = body.gain(name), robot.na
            a = gain[0] * (ref[:na] - q[robot.nq_base :]) - gain[1] * v[nb:]
            H[nb:nv, nb:nv] += w[0] * np.diag(ref[na:])
            g[nb:nv] -= w[0] * ref[na:] * a
        elif task.kind == "contact_force":
            c = robot.contact_names.index(str(task.frame))
            if c in slots:
                i = at[slots.index(c)]
                k = i.stop - i.start
                H[i, i] += w[0] * np.diag(ref[6 : 6 + k])
                g[i] -= w[0] * ref[6 : 6 + k] * ref[:k]
        elif task.kind in ("cop", "force_share"):
            if str(task.frame) in closed:
                rows = wrench_rows(body, d, task, slots, at, n)
                H += rows.T @ np.diag(w[: len(rows)]) @ rows
        else:
            J, b = task_rows(body, d, task)
            W = np.diag(w[: len(b)])
            H[:nv, :nv] += J.T @ W @ J
            g[:nv] -= J.T @ W @ b
    S = np.zeros((nv, n))
    S[:, :nv] = d.M
    equalities, b_eq = [S[:nb]], [-d.h[:nb]]
    cone_rows, cone_upper = [np.zeros((0, n))], [np.zeros(0)]
    for c, i in zip(slots, at, strict=True):
        geometry, select = body.geometry[c], list(body.geometry[c].select)
        frame = robot.pin_model.frames[robot.contacts[c].frame_id].name
        _, velocity, drift, J = d.frame(frame, geometry.R_FC)
        J = J[select]
        S[:, i] = -J.T
        motion, facets = np.zeros((len(select), n)), np.zeros((len(geometry.rows) + 2, n))
        motion[:, :nv] = J
        equalities.append(motion)
        b_eq.append(-float(body.arrays.contacts.damping_per_s[c]) * velocity[select] - drift[select])
        facets[:-2, i] = geometry.rows
        normal = i.start + select.index(2)
        facets[-2, normal], facets[-1, normal] = 1.0, -1.0
        last = int(body.arrays.contacts.n_rows[c]) - 1
        limits = [body.arrays.contacts.upper[c, last], -body.arrays.contacts.lower[c, last]]
        cone_rows.append(facets)
        cone_upper.append(np.r_[np.zeros(len(geometry.rows)), limits])
    tau_max, joints = robot.torque_limit_Nm, np.eye(n)[nb:nv]
    lower, upper = barrier_bounds(body, barrier, q, v)
    given, given_upper = inequality_rows(body, d, slots, at, n)
    A = np.vstack([*cone_rows, S[nb:], -S[nb:], joints, -joints, given])
    b = np.hstack([*cone_upper, tau_max - d.h[nb:], tau_max + d.h[nb:], upper, -lower, given_upper])
    blocks = [sum(len(rows) for rows in cone_rows), 2 * robot.na, 2 * robot.na, len(given)]
    return Problem(H, g, np.vstack(equalities), np.hstack(b_eq), A, b, S, d.h, slots, at, blocks)


def inequality_rows(
    body: WholeBody, d: Dynamics, slots: list[int], at: list[slice], n: int
) -> tuple[Any, Any]:
    """Returns the declared inequalities as (rows, upper) with rows x <= upper."""
    rows, upper = [np.zeros((0, n))], [np.zeros(0)]
    for given in body.inequalities:
        if given.kind in ("cop", "force_share"):
            if body.robot.contact_names.index(str(given.frame)) not in slots:
                continue
            T, b = wrench_rows(body, d, given, slots, at, n), np.zeros(2 if given.kind == "cop" else 1)
        else:
            J, b = task_rows(body, d, given)
            T = np.hstack([J, np.zeros((len(b), n - body.robot.nv))])
        side = 1.0 if given.side == "at_most" else -1.0
        chosen = [r for r in range(len(b)) if given.rows is None or given.rows[r]]
        rows.append(side * T[chosen])
        upper.append(side * b[chosen])
    return np.vstack(rows), np.hstack(upper)


def solve(
    body: WholeBody,
    q: Any,
    v: Any,
    barrier: BarrierSettings,
    closed: Sequence[str] | None = None,
    enabled: Sequence[str] | None = None,
) -> Reference:
    """Solves the problem of `body` at (q, v) with quadprog.

    Raises:
        ValueError: there is no solution (raised by quadprog).
    """
    p = dense_problem(body, q, v, barrier, closed, enabled)
    nv, nb = body.robot.nv, body.robot.n_base
    x = _solve_dense(p, nv)
    slack = (p.b - p.A @ x) / np.maximum(np.abs(p.A).max(axis=1), 1e-9)
    active = [int((part < 1e-7).sum()) for part in np.split(slack, np.cumsum(p.blocks)[:-1])]
    wrench = np.zeros((max(len(body.robot.contacts), 1), 6))
    for c, i in zip(p.slots, p.at, strict=True):
        wrench[c, : i.stop - i.start] = x[i]
    return Reference(x[:nv], wrench, (p.S @ x + p.h)[nb:], *active)


def _solve_dense(p: Problem, nv: int) -> Any:
    """Eliminates the equalities by their null space (rows may be redundant), then calls quadprog."""
    unit = np.r_[np.ones(nv), np.full(len(p.g) - nv, _FORCE_UNIT_N)]
    H, g, A_eq, A = p.H * np.outer(unit, unit), p.g * unit, p.A_eq * unit, p.A * unit
    x0, Z = np.zeros(len(g)), np.eye(len(g))
    if len(A_eq):
        x0 = np.linalg.lstsq(A_eq, p.b_eq, rcond=1e-11)[0]
        _, s, Vt = np.linalg.svd(A_eq)
        Z = Vt[int((s > 1e-11 * s[0]).sum()) :].T
    P, f = Z.T @ H @ Z, Z.T @ (H @ x0 + g)
    C, c = A @ Z, p.b - A @ x0
    norm = np.maximum(np.linalg.norm(C, axis=1), 1e-12)
    y = quadprog.solve_qp(0.5 * (P + P.T), -f, -(C / norm[:, None]).T, -c / norm)[0]
    return (x0 + Z @ y) * unit
