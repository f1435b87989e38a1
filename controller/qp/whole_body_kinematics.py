"""Compiled kinematics: pose, velocity, drift and Jacobian of every frame from pinocchio's buffers; barriers.

Two pinocchio calls fill the buffers: crba in the WORLD convention (M, joint placements, joint Jacobians) and
nonLinearEffects (h, joint velocities and accelerations with gravity). The rest is computed here in 0.5 us for
three frames; pinocchio's own frame calls from Python take 1 us per frame.
"""

from __future__ import annotations

import math

from numba import carray

from kilohertz.controller.problem.frames import to_frame
from kilohertz.controller.problem.tables import (
    DAMPING_PER_S,
    LARGEST_RAD_S2,
    POSITION_PER_S2,
    VELOCITY_PER_S,
    Limits,
)
from kilohertz.robots.compile.kernels import float_pointer, inner_kernel, kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import (
    A_ANGULAR,
    A_LINEAR,
    ANGULAR,
    LINEAR,
    NQ_BASE,
    NV_BASE,
    ORIGIN,
    POSITION,
    ROTATION,
    V_ANGULAR,
    V_LINEAR,
    Floats,
    Kin,
    X,
    Y,
    Z,
)

BRAKING_SHARE = 0.6
"""Fraction of the deceleration available at the torque limit that braking relies on: gravity and the motion
of the other joints change while the joint brakes."""
LEAST_BRAKING_RAD_S2 = 2.0
"""Smallest deceleration that braking relies on, even if the torque limit leaves less."""
LEAD_S = 0.01
"""Time from a sample to the torque that responds to it [s]: delay plus the guard's limit on the torque
rate."""


@inner_kernel
def dot(a: Floats, b: Floats, n: int) -> float:
    """Returns the inner product of the first n entries of a and b."""
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@kernel
def centroid(k: Kin) -> None:
    """Writes centre of mass, its velocity and the angular momentum, from the base rows of M and M v.

    The linear-angular block of M is m [c]x', with c the centre of mass in the base frame; the base rows of
    M v are the momentum about the base origin.
    """
    M, v, mass = k.M, k.v, k.mass[0]
    nv = len(v)
    R = carray(float_pointer(k.address[0, ROTATION]), (3, 3))  # column-major memory: R[c, r] is R_WB[r, c]
    p = carray(float_pointer(k.address[0, POSITION]), (3,))
    linear, angular = k.s[0], k.s[1]
    for r in range(3):
        linear[r] = dot(M[r], v, nv)
        angular[r] = dot(M[ANGULAR + r], v, nv)
    cx, cy, cz = M[ANGULAR + Z, Y] / mass, M[ANGULAR + X, Z] / mass, M[ANGULAR + Y, X] / mass
    angular[0] -= cy * linear[2] - cz * linear[1]
    angular[1] -= cz * linear[0] - cx * linear[2]
    angular[2] -= cx * linear[1] - cy * linear[0]
    for r in range(3):
        k.p_WC[r] = p[r] + R[0, r] * cx + R[1, r] * cy + R[2, r] * cz
        k.v_WC[r] = (R[0, r] * linear[0] + R[1, r] * linear[1] + R[2, r] * linear[2]) / mass
        k.L_C[r] = R[0, r] * angular[0] + R[1, r] * angular[1] + R[2, r] * angular[2]


@kernel
def frame_kinematics(k: Kin, f: int) -> None:
    """Writes pose, velocity, drift and local Jacobian of frame f."""
    address, P = k.address[1 + f], k.placement[f]
    FR, p, vel, drift = k.R[f], k.p[f], k.vel[f], k.drift[f]
    R = carray(float_pointer(address[ROTATION]), (3, 3))
    p_joint = carray(float_pointer(address[POSITION]), (3,))
    v_lin = carray(float_pointer(address[V_LINEAR]), (3,))
    v_ang = carray(float_pointer(address[V_ANGULAR]), (3,))
    a_lin = carray(float_pointer(address[A_LINEAR]), (3,))
    a_ang = carray(float_pointer(address[A_ANGULAR]), (3,))
    t, d = k.s[0], k.s[1]
    for r in range(3):
        for c in range(3):
            FR[r, c] = R[0, r] * P[0, c] + R[1, r] * P[1, c] + R[2, r] * P[2, c]
        p[r] = p_joint[r] + R[0, r] * P[ORIGIN, 0] + R[1, r] * P[ORIGIN, 1] + R[2, r] * P[ORIGIN, 2]
        i, j = (r + 1) % 3, (r + 2) % 3
        t[r] = v_lin[r] + v_ang[i] * P[ORIGIN, j] - v_ang[j] * P[ORIGIN, i]
        # pinocchio's a_gf includes the gravity field; subtracting it leaves the drift.
        d[r] = a_lin[r] - GRAVITY_M_S2 * R[r, 2] + a_ang[i] * P[ORIGIN, j] - a_ang[j] * P[ORIGIN, i]
    to_frame(P, t, 0, vel[LINEAR:ANGULAR])
    to_frame(P, v_ang, 0, vel[ANGULAR:6])
    to_frame(P, d, 0, drift[LINEAR:ANGULAR])
    to_frame(P, a_ang, 0, drift[ANGULAR:6])
    for r in range(3):  # spatial -> classical acceleration
        i, j = (r + 1) % 3, (r + 2) % 3
        drift[r] += vel[ANGULAR + i] * vel[j] - vel[ANGULAR + j] * vel[i]
    wx, wy, wz = ANGULAR + X, ANGULAR + Y, ANGULAR + Z
    for n in range(k.n_columns[f]):
        column = k.columns[f, n]
        Jn = k.Jw[column]
        for r in range(3):
            i, j = (r + 1) % 3, (r + 2) % 3
            t[r] = Jn[r] + Jn[ANGULAR + i] * p[j] - Jn[ANGULAR + j] * p[i]
        for r in range(3):
            k.J[f, r, column] = FR[0, r] * t[0] + FR[1, r] * t[1] + FR[2, r] * t[2]
            k.J[f, ANGULAR + r, column] = FR[X, r] * Jn[wx] + FR[Y, r] * Jn[wy] + FR[Z, r] * Jn[wz]


@kernel
def kinematics(q: Floats, v: Floats, k: Kin) -> None:
    """Writes `Kin` from pinocchio's buffers, which must be those at (q, v)."""
    for i in range(len(q)):
        k.q[i] = q[i]
    for i in range(len(v)):
        k.v[i] = v[i]
    if k.size[NV_BASE] == 6:
        centroid(k)
    for f in range(len(k.p)):
        frame_kinematics(k, f)


@inner_kernel
def braking(left_rad: float, v: float, a: float, rate_per_s: float) -> float:
    """Returns the largest acceleration of a joint that moves towards its position limit [rad/s^2].

    The joint follows a curve of speed over remaining distance. Far from the limit the curve is that of a
    constant deceleration a. Where the slope of this curve would exceed `rate_per_s`, the curve continues
    without a corner as a straight line of that slope to rest at the limit. A speed error relative to the
    curve decays at twice the rate.

    Args:
        left_rad: distance to the limit [rad].
        v: speed towards the limit [rad/s].
        a: largest deceleration that the joint can produce [rad/s^2].
        rate_per_s: rate of the exponential approach to the limit [1/s].
    """
    left = left_rad - LEAD_S * v
    corner = a / (rate_per_s * rate_per_s)
    if left < corner:
        return 2.0 * rate_per_s * (rate_per_s * left - v) - rate_per_s * v
    fastest = math.sqrt(a * (2.0 * left - corner))
    return 2.0 * rate_per_s * (fastest - v) - a * v / fastest


@inner_kernel
def deceleration(k: Kin, limits: Limits, j: int, outwards: float) -> float:
    """Returns the deceleration that joint j of a robot on a fixed base can produce within its torque limit.

    Args:
        k: kinematics.
        limits: torque limits.
        j: index of the joint.
        outwards: sign of the joint's velocity.

    Returns:
        Deceleration [rad/s^2] for which the torque is sufficient as long as no other joint accelerates more
        than that, in either direction.
    """
    inertia = 0.0
    for i in range(len(k.v)):
        inertia += abs(k.M[j, i])
    left_Nm = limits.tau[j] + outwards * k.h[j]
    most: float = max(BRAKING_SHARE * left_Nm / inertia, LEAST_BRAKING_RAD_S2)
    return most


@inner_kernel
def barriers(k: Kin, limits: Limits) -> None:
    """Writes this tick's bounds on the joint accelerations: barriers on position and velocity.

    vdot <= min(kq (q_max - q) - kd v, kv (v_max - v)), so a joint comes to rest at its limit without
    overshoot (kd^2 >= 4 kq); both barriers are exponential. The bounds never demand more than a_max inwards,
    so that no joint has to accelerate more than a motor can. On a fixed base, M and h give the deceleration
    that a torque can produce, so a joint also slows down early enough for its torque limit. On a floating
    base they do not, because they leave out the contact forces.
    """
    nb, nq = k.size[NV_BASE], k.size[NQ_BASE]
    kq, kd = limits.gain[POSITION_PER_S2], limits.gain[DAMPING_PER_S]
    kv, a_max = limits.gain[VELOCITY_PER_S], limits.gain[LARGEST_RAD_S2]
    for j in range(len(k.v) - nb):
        q, v = k.q[nq + j], k.v[nb + j]
        upper = min(kq * (limits.position_upper[j] - q) - kd * v, kv * (limits.velocity[j] - v))
        lower = max(kq * (limits.position_lower[j] - q) - kd * v, -kv * (limits.velocity[j] + v))
        if nb == 0:
            if v > 0.0:
                a = deceleration(k, limits, j, 1.0)
                upper = min(upper, braking(limits.position_upper[j] - q, v, a, kq / kd))
            else:
                a = deceleration(k, limits, j, -1.0)
                lower = max(lower, -braking(q - limits.position_lower[j], -v, a, kq / kd))
        upper = max(min(upper, 10.0 * a_max), -a_max)
        lower = min(max(lower, -10.0 * a_max), a_max)
        if lower > upper:
            lower = upper = 0.5 * (lower + upper)
        limits.vdot_upper[j] = upper
        limits.vdot_lower[j] = lower
