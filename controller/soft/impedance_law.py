"""The law of a soft hand: a spring and a damper between the hand and its reference, as joint accelerations.

The torque is tau = J' F + N' tau_0 + h: a wrench F at the hand, a soft posture tau_0 in the null space of the
hand, and the model's Coriolis and gravity forces h. The inertia of the arm is not shaped. Without a measured
force the stiffness at the hand at rest is then exactly that of the spring, whatever the errors of the mass
matrix, because N' tau_0 does no work at the hand.

The spring is the gradient of a potential, also for large rotations, so that it never creates energy; the
damper is a symmetric matrix without negative eigenvalues. The torque is given to the whole-body problem as
the accelerations M^-1 (J' F + N' tau_0), which it meets exactly unless a limit is hit.

Source: Khatib, "A unified approach for motion and force control of robot manipulators", IEEE J. Robotics and
Automation 1987 (N); Albu-Schaeffer et al., "Cartesian impedance control of redundant robots: recent results
with the DLR-light-weight-arms", ICRA 2003 (damping by double diagonalisation).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.soft.small_matrices import backward_solve, cholesky, eigenvalues, forward_solve
from kilohertz.controller.tasks.frame_pose import A_WF, P_WF, V_WF, W_WF, WDOT_WF
from kilohertz.estimators.so3 import log3
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import ANGULAR, Floats, Kin

WORLD_AXES, HAND_AXES, GIVEN_AXES = range(3)
"""Axes of stiffness and wrench: of the world, of the hand's reference, or those given in `SoftHand.A`."""
SOFT_STIFFNESS, SOFT_RATIO, SOFT_DAMPING, SOFT_FEED = 0, 6, 7, 13
"""Index at which each part of `SoftHand.law` begins: stiffness (6), damping ratio, least damping (6) and
additional wrench on the environment (6)."""
LAW_SIZE = 19
POSTURE_STIFFNESS, POSTURE_RATE, SHARE, AXES = range(4)
"""Entries of `SoftHand.settings`."""
SPRING_J, DAMPED_W, ACTIVE_W = range(3)
"""Entries of `SoftHand.energy`."""

_SLOWEST_PER_S2 = 4.0
"""Least squared frequency of a mode for which the damping ratio is computed; slower ones are damped less."""
_SINGULAR_PER_KG = 1e-5
"""Mobility that is added to that of the hand for the null space, so that it is defined in a singularity."""


class SoftHand(NamedTuple):
    """The law of one soft hand, and its result. H is the hand, A the axes of the law."""

    law: Floats
    """(LAW_SIZE,) stiffness [N/m, Nm/rad], damping ratio, least damping [Ns/m, Nms/rad], wrench [N, Nm]."""
    settings: Floats
    """(4,) stiffness of the posture [Nm/rad], its damping [1/s], share of the active forces, in [0, 1], and
    axes of the law, WORLD_AXES, HAND_AXES or GIVEN_AXES."""
    q_rest: Floats
    """(na,) joint positions at which the posture rests [rad]."""
    motion: Floats
    """(24,) reference of the hand in the world, see `tasks.frame_pose`."""
    task: Floats
    """(24,) reference of the hand's task, whose accelerations are written."""
    joints: Floats
    """(2 na,) reference of the joints' task, a spring of 1/s^2: q plus the desired acceleration."""
    x: Floats
    """(6,) displacement of the hand from its reference, in A [m, rad]."""
    v: Floats
    """(6,) velocity of the hand relative to its reference, in A [m/s, rad/s]."""
    wrench: Floats
    """(6,) wrench of the hand on its environment that the law asks for, in A [N, Nm]."""
    tau: Floats
    """(na,) torque of the law, without Coriolis and gravity forces [Nm]."""
    energy: Floats
    """(3,) SPRING_J: energy of the spring [J]. DAMPED_W: power that the dampers take out [W]. ACTIVE_W: power
    that posture, moving reference and additional wrench put in [W]."""
    W: Floats
    """(6, 6) mobility of the hand J M^-1 J', in A [1/kg, 1/(kg m^2)]."""
    D: Floats
    """(6, 6) damping, in A [Ns/m, Nms/rad]."""
    J: Floats
    """(6, na) Jacobian of the hand, in A."""
    Y: Floats
    """(6, na) rows L^-1 J'."""
    L: Floats
    """(na, na) Cholesky factor of the mass matrix."""
    S: Floats
    """(6, 6) scratch."""
    U: Floats
    """(6, 6) scratch."""
    A: Floats
    """(3, 3) axes of the law in the world."""
    E: Floats
    """(3, 3) scratch."""
    s: Floats
    """(4, 8) scratch."""
    t: Floats
    """(2, na) scratch."""


@kernel
def soften(f: int, k: Kin, hand: SoftHand) -> None:
    """Writes the accelerations with which the hand behaves as its law says; the arm has a fixed base.

    Args:
        f: index of the hand's frame in `Kin`.
        k: kinematics of the tick.
        hand: the law; its references of the two tasks and its results are written.
    """
    measure(f, k, hand)
    mobility(k, hand)
    damping(hand)
    exert(hand)
    add_posture(k, hand)
    accelerate(f, k, hand)


@kernel
def measure(f: int, k: Kin, hand: SoftHand) -> None:
    """Writes axes, Jacobian, displacement and velocity of the hand."""
    R, A, motion, E, w, v_des = k.R[f], hand.A, hand.motion, hand.E, hand.s[0], hand.s[3]
    own = hand.settings[AXES] == HAND_AXES
    if hand.settings[AXES] != GIVEN_AXES:
        for r in range(3):
            for c in range(3):
                A[r, c] = motion[3 * r + c] if own else (1.0 if r == c else 0.0)
    # E = A' R, which turns the rows of the hand's Jacobian.
    for r in range(3):
        for c in range(3):
            E[r, c] = A[0, r] * R[0, c] + A[1, r] * R[1, c] + A[2, r] * R[2, c]
    for j in range(len(k.v)):
        for half in range(0, 6, ANGULAR):
            for r in range(3):
                hand.J[half + r, j] = (
                    E[r, 0] * k.J[f, half, j] + E[r, 1] * k.J[f, half + 1, j] + E[r, 2] * k.J[f, half + 2, j]
                )
    for r in range(3):
        hand.x[r] = v_des[r] = v_des[ANGULAR + r] = 0.0
        for i in range(3):
            hand.x[r] += A[i, r] * (k.p[f, i] - motion[P_WF + i])
            v_des[r] += A[i, r] * motion[V_WF + i]
            v_des[ANGULAR + r] += A[i, r] * motion[W_WF + i]
        hand.v[r], hand.v[ANGULAR + r] = -v_des[r], -v_des[ANGULAR + r]
        for i in range(3):
            hand.v[r] += E[r, i] * k.vel[f, i]
            hand.v[ANGULAR + r] += E[r, i] * k.vel[f, ANGULAR + i]
    # Rotation R R_des' in the axes A; its logarithm is that of R_des' R, turned.
    for r in range(3):
        for c in range(3):
            E[r, c] = motion[r] * R[0, c] + motion[3 + r] * R[1, c] + motion[6 + r] * R[2, c]
    log3(E, w[:3])
    for r in range(3):
        w[3 + r] = motion[3 * r] * w[0] + motion[3 * r + 1] * w[1] + motion[3 * r + 2] * w[2]
    for r in range(3):
        hand.x[ANGULAR + r] = A[0, r] * w[3] + A[1, r] * w[4] + A[2, r] * w[5]


@kernel
def mobility(k: Kin, hand: SoftHand) -> None:
    """Writes the factor of the mass matrix and the mobility W = J M^-1 J' of the hand."""
    cholesky(k.M, hand.L)
    for r in range(6):
        for j in range(len(k.v)):
            hand.Y[r, j] = hand.J[r, j]
        forward_solve(hand.L, hand.Y[r])
    for r in range(6):
        for c in range(r + 1):
            total = 0.0
            for j in range(len(k.v)):
                total += hand.Y[r, j] * hand.Y[c, j]
            hand.W[r, c] = hand.W[c, r] = total


@kernel
def damping(hand: SoftHand) -> None:
    """Writes the damping with which each mode of spring and arm has the damping ratio.

    With S = K^1/2 W K^1/2, whose eigenvalues are the squared frequencies of the modes,
    D = 2 zeta K^1/2 S^-1/2 K^1/2. The least damping is added on the diagonal.
    """
    S, U, D, law, root = hand.S, hand.U, hand.D, hand.law, hand.s[0]
    for r in range(6):
        root[r] = np.sqrt(law[SOFT_STIFFNESS + r])
    for r in range(6):
        for c in range(6):
            S[r, c] = root[r] * hand.W[r, c] * root[c]
    eigenvalues(S, U)
    for r in range(6):
        for c in range(6):
            total = 0.0
            for m in range(6):
                total += U[r, m] * U[c, m] / np.sqrt(max(S[m, m], _SLOWEST_PER_S2))
            D[r, c] = 2.0 * law[SOFT_RATIO] * root[r] * total * root[c]
        D[r, r] += law[SOFT_DAMPING + r]


@kernel
def exert(hand: SoftHand) -> None:
    """Writes the wrench of spring, damper and additional wrench, its torque, and the energies.

    The moment of the spring is the gradient of 1/2 theta' K theta: J_l(theta)^-T K theta, with J_l the left
    Jacobian of SO(3) (Sola et al., "A micro Lie theory", 2018, eq. 146).
    """
    x, v, law, y, z, v_des = hand.x, hand.v, hand.law, hand.s[1], hand.s[2], hand.s[3]
    share, active, damped, stored = hand.settings[SHARE], 0.0, 0.0, 0.0
    for r in range(6):
        y[r] = law[SOFT_STIFFNESS + r] * x[r]
        stored += 0.5 * y[r] * x[r]
    a, b, c = x[3], x[4], x[5]
    angle = np.sqrt(a * a + b * b + c * c)
    beta = 1.0 / 12.0
    if angle > 1e-3:
        beta = (1.0 - 0.5 * angle / np.tan(0.5 * angle)) / (angle * angle)
    z[0], z[1], z[2] = b * y[5] - c * y[4], c * y[3] - a * y[5], a * y[4] - b * y[3]
    z[3], z[4], z[5] = b * z[2] - c * z[1], c * z[0] - a * z[2], a * z[1] - b * z[0]
    for r in range(3):
        y[3 + r] += 0.5 * z[r] + beta * z[3 + r]
    for r in range(6):
        drag = 0.0
        for c in range(6):
            drag += hand.D[r, c] * v[c]
        feed = share * law[SOFT_FEED + r]
        hand.wrench[r] = feed - y[r] - drag
        damped += drag * v[r]
        active += feed * v[r] + hand.wrench[r] * v_des[r]
    for j in range(len(hand.tau)):
        total = 0.0
        for r in range(6):
            total += hand.J[r, j] * hand.wrench[r]
        hand.tau[j] = total
    hand.energy[SPRING_J], hand.energy[DAMPED_W], hand.energy[ACTIVE_W] = stored, damped, active


@kernel
def add_posture(k: Kin, hand: SoftHand) -> None:
    """Adds the torque of the posture, projected so that it does not move the hand: N' tau_0.

    N' tau_0 = tau_0 - J' W^-1 J M^-1 tau_0. The damping M times a rate keeps its sign in the projection.
    """
    n, stiffness, rate = len(hand.tau), hand.settings[POSTURE_STIFFNESS], hand.settings[POSTURE_RATE]
    spring, drag, S, U, y = hand.t[0], hand.t[1], hand.S, hand.U, hand.s[3]
    for j in range(n):
        spring[j] = hand.settings[SHARE] * stiffness * (hand.q_rest[j] - k.q[j])
        drag[j] = 0.0
        for i in range(n):
            drag[j] -= rate * k.M[min(i, j), max(i, j)] * k.v[i]
    for r in range(6):
        for c in range(6):
            S[r, c] = hand.W[r, c]
        S[r, r] += _SINGULAR_PER_KG
    cholesky(S, U)
    for part in range(2):
        torque = hand.t[part]
        for j in range(n):
            hand.joints[j] = torque[j]
        forward_solve(hand.L, hand.joints[:n])
        for r in range(6):
            y[r] = 0.0
            for j in range(n):
                y[r] += hand.Y[r, j] * hand.joints[j]
        forward_solve(U, y[:6])
        backward_solve(U, y[:6])
        power = 0.0
        for j in range(n):
            for r in range(6):
                torque[j] -= hand.J[r, j] * y[r]
            power += torque[j] * k.v[j]
            hand.tau[j] += torque[j]
        if part == 0:
            hand.energy[ACTIVE_W] += power
        else:
            hand.energy[DAMPED_W] -= power


@kernel
def accelerate(f: int, k: Kin, hand: SoftHand) -> None:
    """Writes the accelerations M^-1 tau as the references of the joints' task and of the hand's task."""
    n, R, a = len(hand.tau), k.R[f], hand.s[0]
    vdot = hand.t[0]
    for j in range(n):
        vdot[j] = hand.tau[j]
    forward_solve(hand.L, vdot)
    backward_solve(hand.L, vdot)
    for j in range(n):
        hand.joints[j] = k.q[j] + vdot[j]
    for r in range(6):
        a[r] = k.drift[f, r]
        for j in range(n):
            a[r] += k.J[f, r, j] * vdot[j]
    for r in range(3):
        for c in range(3):
            hand.task[3 * r + c] = R[r, c]
        hand.task[P_WF + r] = k.p[f, r]
        hand.task[A_WF + r] = R[r, 0] * a[0] + R[r, 1] * a[1] + R[r, 2] * a[2]
        hand.task[WDOT_WF + r] = R[r, 0] * a[3] + R[r, 1] * a[4] + R[r, 2] * a[5]


def new_soft_hand(motion: Floats, task: Floats, joints: Floats) -> SoftHand:
    """Returns the arrays of a soft hand: without stiffness, at the present reference.

    Args:
        motion: (24,) reference of the hand.
        task: (24,) reference of its task.
        joints: (2 na,) reference of the joints' task.
    """
    na = len(joints) // 2
    settings = np.zeros(4)
    settings[SHARE] = 1.0
    return SoftHand(
        law=np.zeros(LAW_SIZE),
        settings=settings,
        q_rest=np.zeros(na),
        motion=motion,
        task=task,
        joints=joints,
        x=np.zeros(6),
        v=np.zeros(6),
        wrench=np.zeros(6),
        tau=np.zeros(na),
        energy=np.zeros(3),
        W=np.zeros((6, 6)),
        D=np.zeros((6, 6)),
        J=np.zeros((6, na)),
        Y=np.zeros((6, na)),
        L=np.zeros((na, na)),
        S=np.zeros((6, 6)),
        U=np.zeros((6, 6)),
        A=np.eye(3),
        E=np.eye(3),
        s=np.zeros((4, 8)),
        t=np.zeros((2, na)),
    )
