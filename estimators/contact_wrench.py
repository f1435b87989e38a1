"""Estimation of the contact wrenches from the joint torques and the motion of the robot.

The equations of motion M vdot + h = S tau + J' w are linear in the wrenches w of all contacts. With an
estimate of vdot (for the base from the accelerometer, for the joints from their observer) every row gives an
equation for w. A joint row holds within the error of the drive's torque, and a base row within the error of
the robot's force balance. In addition, w is near zero within a few times the robot's weight. The wrenches are
the weighted least-squares solution. The wrench on a leg near its singularity is then determined by the base
rows and the other leg.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.contact_detection import LARGEST_FORCE_N
from kilohertz.estimators.joint_observer import ROW_Q
from kilohertz.estimators.leg_kinematics import joint_column
from kilohertz.robots.compile.kernels import kernel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Entries of the vector of standard deviations of `contact_wrenches`: force balance [N], moment balance
# [Nm], and how large a contact's force [N] and moment [Nm] may be.
FORCE, MOMENT, MOST_FORCE, MOST_MOMENT, N_DEVIATIONS = 0, 1, 2, 3, 4


@kernel
def contact_wrenches(
    required: Array,
    tau: Array,
    p_BF: Array,
    joint_address: IntArray,
    joint_axis: Array,
    support: IntArray,
    size: IntArray,
    torque_deviation: Array,
    deviations: Array,
    wrench: Array,
    A: Array,
    column: Array,
) -> bool:
    """Least-squares wrenches of all contacts, as if each were closed; an open one comes out near zero.

    Args:
        required: (6 + na,) M vdot + h: base wrench in the base's axes at its origin, then joint torques.
        tau: (na,) measured joint torques [Nm].
        p_BF: (nc, 3) contacts in the base [m].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        support: (nc, na) 1 where a joint moves the contact.
        size: (nc,) 3 for a point contact (force only), 6 for a sole.
        torque_deviation: (na,) SD of each joint's row [Nm].
        deviations: (4,) see FORCE and the names beside it.
        wrench: (nc, 6) force [N] and moment at the contact [Nm], in the base's axes, written.
        A: (6 nc + 1, 6 nc + 1) scratch.
        column: (nc, 6) scratch.

    Returns:
        False where a torque is not finite; the wrenches are then untouched.
    """
    n_contacts = size.shape[0]
    for j in range(tau.shape[0]):
        if not abs(tau[j]) < 1e6:
            return False
    n = 6 * n_contacts
    # A holds the normal matrix's lower triangle and, in its last row, the right-hand side.
    for i in range(n):
        for j in range(i + 1):
            A[i, j] = 0.0
        A[n, i] = 0.0
        c, k = i // 6, i % 6
        prior = deviations[MOST_FORCE] if k < 3 else deviations[MOST_MOMENT]
        if k >= size[c]:
            # A point takes no moment.
            prior = 1e-6 * deviations[MOST_MOMENT]
        A[i, i] = 1.0 / (prior * prior)
    for j in range(tau.shape[0]):
        reached = False
        for c in range(n_contacts):
            if support[c, j] == 0:
                for k in range(6):
                    column[c, k] = 0.0
            else:
                reached = True
                joint_column(joint_address[j], joint_axis[j], p_BF[c], column[c])
        if not reached:
            continue
        weight = 1.0 / torque_deviation[j] ** 2
        asked = required[6 + j] - tau[j]
        for c in range(n_contacts):
            if support[c, j] == 0:
                continue
            for k in range(6):
                row = 6 * c + k
                scaled = weight * column[c, k]
                A[n, row] += scaled * asked
                for d in range(c + 1):
                    if support[d, j] == 0:
                        continue
                    for m in range(6):
                        A[row, 6 * d + m] += scaled * column[d, m]
    force, moment = 1.0 / deviations[FORCE] ** 2, 1.0 / deviations[MOMENT] ** 2
    for c in range(n_contacts):
        x, y, z = p_BF[c, 0], p_BF[c, 1], p_BF[c, 2]
        row = 6 * c
        # J' rows of the base: force f, moment p x f + n.
        A[n, row] += force * required[0] + moment * (z * required[4] - y * required[5])
        A[n, row + 1] += force * required[1] + moment * (x * required[5] - z * required[3])
        A[n, row + 2] += force * required[2] + moment * (y * required[3] - x * required[4])
        for k in range(3):
            A[n, row + 3 + k] += moment * required[3 + k]
        for d in range(c + 1):
            u, v, w = p_BF[d, 0], p_BF[d, 1], p_BF[d, 2]
            at = 6 * d
            dot = x * u + y * v + z * w
            for k in range(3):
                A[row + k, at + k] += force + moment * dot
                for m in range(3):
                    # (p^)' (q^) = (p . q) I - q p'
                    A[row + k, at + m] -= moment * p_BF[d, k] * p_BF[c, m]
                A[row + 3 + k, at + 3 + k] += moment
            # force of c with moment of d: (p_c^)', and moment of c with force of d: p_d^.
            A[row, at + 4] += moment * z
            A[row, at + 5] -= moment * y
            A[row + 1, at + 3] -= moment * z
            A[row + 1, at + 5] += moment * x
            A[row + 2, at + 3] += moment * y
            A[row + 2, at + 4] -= moment * x
            A[row + 3, at + 1] -= moment * w
            A[row + 3, at + 2] += moment * v
            A[row + 4, at] += moment * w
            A[row + 4, at + 2] -= moment * u
            A[row + 5, at] -= moment * v
            A[row + 5, at + 1] += moment * u
    # Cholesky in the lower triangle; the right-hand side rides along as the last row.
    for i in range(n + 1):
        for j in range(min(i + 1, n)):
            s = A[i, j]
            for k in range(j):
                s -= A[i, k] * A[j, k]
            if i == j:
                A[i, i] = math.sqrt(max(s, 1e-30))
            else:
                A[i, j] = s / A[j, j]
    for i in range(n - 1, -1, -1):
        s = A[n, i]
        for k in range(i + 1, n):
            s -= A[k, i] * A[n, k]
        A[n, i] = s / A[i, i]
        wrench[i // 6, i % 6] = A[n, i]
    return True


@kernel
def weigh_contacts(
    row: Array,
    required: Array,
    R_BF: Array,
    p_BF: Array,
    joint_address: IntArray,
    joint_axis: Array,
    frame_support: IntArray,
    wrench_size: IntArray,
    torque_deviation: Array,
    wrench_deviations: Array,
    wrench: Array,
    wrench_A: Array,
    wrench_columns: Array,
    force: Array,
    normal_force: Array,
) -> None:
    """What the contacts carry: measured where there is a sensor, else from the joint torques.

    Args:
        row: data of the sensor row.
        required: (nv,) pinocchio's inverse dynamics.
        R_BF: (nc, 3, 3) contacts in the base.
        p_BF: (nc, 3) [m].
        joint_address: (na,) see KinematicTables.
        joint_axis: (na, 6) see KinematicTables.
        frame_support: (nc + 1, na) see KinematicTables.
        wrench_size: (nc,) see `contact_wrenches`, as the next five.
        torque_deviation: see `contact_wrenches`.
        wrench_deviations: see `contact_wrenches`.
        wrench: (nc, 6) written; NaN where the torques do not tell.
        wrench_A: see `contact_wrenches`.
        wrench_columns: see `contact_wrenches`.
        force: (nc,) normal force [N], written; NaN where neither sensor nor torques tell.
        normal_force: (nc,) the same, or the last known, written.
    """
    na, nc = len(joint_address), len(p_BF)
    tau, measured = row[ROW_Q + 2 * na : ROW_Q + 3 * na], row[ROW_Q + 3 * na + 6 :]
    known = contact_wrenches(
        required,
        tau,
        p_BF,
        joint_address,
        joint_axis,
        frame_support,
        wrench_size,
        torque_deviation,
        wrench_deviations,
        wrench,
        wrench_A,
        wrench_columns,
    )
    if not known:
        wrench[:] = math.nan
    for c in range(nc):
        force[c] = measured[c]
        if known and not abs(measured[c]) < LARGEST_FORCE_N:
            force[c] = 0.0
            for i in range(3):
                force[c] += R_BF[c, i, 2] * wrench[c, i]
        if abs(force[c]) < LARGEST_FORCE_N:
            normal_force[c] = force[c]
