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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.base_state import JOINTS_V, Imu, Scratch
from kilohertz.estimators.contact_detection import LARGEST_FORCE_N, Contacts
from kilohertz.estimators.inekf_layout import Filter
from kilohertz.estimators.joint_observer import Joints, contact_forces_at, gyro_at, torques_at
from kilohertz.estimators.leg_kinematics import KinematicTables, joint_column
from kilohertz.estimators.so3 import rotate, rotate_back
from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

# Number of components of a wrench, and of its force, which comes first.
_WRENCH, _FORCE = 6, 3
# A measured torque that is larger, or not finite, counts as unknown [Nm].
_LARGEST_TORQUE_NM = 1e6
STILL_M_S = 0.5
"""Speed of an open contact above which it can hardly have landed [m/s]; impacts stop a foot in some ms."""
# A point contact transmits no moment: factor on the SD of the prior of a sole's moment.
_NO_MOMENT = 1e-6


class WrenchProblem(NamedTuple):
    """Least-squares problem for the wrenches of nc contacts, given the torques of na joints."""

    required: Array
    """(6 + na,) M vdot + h: wrench on the base at its origin in its axes [N, Nm], then joint torques [Nm]."""
    size: IntArray
    """(nc,) 3 for a point contact (force only), 6 for a sole."""
    torque_deviation_Nm: Array
    """(na,) standard deviation of each joint's equation of motion [Nm]."""
    A: Array
    """(6 nc + 1, 6 nc + 1) scratch: lower triangle of the normal matrix; last row is the right-hand side."""
    column: Array
    """(nc, 6) scratch: column of one joint in the Jacobian of each contact."""
    force_deviation_N: float
    """Standard deviation of the robot's force balance [N]."""
    moment_deviation_Nm: float
    """Standard deviation of the robot's moment balance [Nm]."""
    most_force_N: float
    """Standard deviation of the prior on each force component of a contact [N]."""
    most_moment_Nm: float
    """Standard deviation of the prior on each moment component of a contact [Nm]."""
    share: Array
    """(nc,) factor on the priors of each contact, in (0, 1], see `expect_less_of_moving`."""
    sensed: bool
    """Whether the robot measures joint torques; if not, those in the sensor row are ignored."""


@struct_kernel
def contact_wrenches(
    tau: Array, p_BF: Array, tables: KinematicTables, problem: WrenchProblem, wrench: Array
) -> bool:
    """Computes the least-squares wrenches of all contacts.

    Every contact is treated as closed; the wrench of an open contact comes out near zero.

    Args:
        tau: (na,) measured joint torques [Nm].
        p_BF: (nc, 3) positions of the contacts in the base frame [m].
        tables: kinematic tables whose first frames are the contacts.
        problem: the least-squares problem; its scratch arrays are written.
        wrench: (nc, 6) force [N] and moment at the contact [Nm], in the base's axes, written.

    Returns:
        False if a torque is not finite; the wrenches are then unchanged.
    """
    for j in range(tau.shape[0]):
        if not abs(tau[j]) < _LARGEST_TORQUE_NM:
            return False
    start_from_priors(problem)
    for j in range(tau.shape[0]):
        add_joint_row(j, tau[j], p_BF, tables, problem)
    add_base_rows(p_BF, problem)
    solve_in_place(problem.A, wrench)
    return True


@struct_kernel
def start_from_priors(problem: WrenchProblem) -> None:
    """Sets the normal matrix to that of the priors alone: zero wrench with the SD given in `problem`."""
    A = problem.A
    n = _WRENCH * problem.size.shape[0]
    for i in range(n):
        for j in range(i + 1):
            A[i, j] = 0.0
        A[n, i] = 0.0
        c, k = i // _WRENCH, i % _WRENCH
        prior = problem.share[c] * (problem.most_force_N if k < _FORCE else problem.most_moment_Nm)
        if k >= problem.size[c]:
            prior = _NO_MOMENT * problem.most_moment_Nm
        A[i, i] = 1.0 / (prior * prior)


@struct_kernel
def add_joint_row(
    j: int, torque: float, p_BF: Array, tables: KinematicTables, problem: WrenchProblem
) -> None:
    """Adds the equation of motion of joint j to the normal matrix.

    Args:
        j: index of the joint.
        torque: measured torque of the joint [Nm].
        p_BF: (nc, 3) positions of the contacts in the base frame [m].
        tables: kinematic tables whose first frames are the contacts.
        problem: the least-squares problem, written.
    """
    A, column, support = problem.A, problem.column, tables.frame_support
    n_contacts = problem.size.shape[0]
    n = _WRENCH * n_contacts
    reached = False
    for c in range(n_contacts):
        if support[c, j] == 0:
            for k in range(_WRENCH):
                column[c, k] = 0.0
        else:
            reached = True
            joint_column(tables.joint_address[j], tables.joint_axis[j], p_BF[c], column[c])
    if not reached:
        return
    weight = 1.0 / problem.torque_deviation_Nm[j] ** 2
    asked = problem.required[JOINTS_V + j] - torque
    for c in range(n_contacts):
        if support[c, j] == 0:
            continue
        for k in range(_WRENCH):
            row = _WRENCH * c + k
            scaled = weight * column[c, k]
            A[n, row] += scaled * asked
            for d in range(c + 1):
                if support[d, j] == 0:
                    continue
                for m in range(_WRENCH):
                    A[row, _WRENCH * d + m] += scaled * column[d, m]


@struct_kernel
def add_base_rows(p_BF: Array, problem: WrenchProblem) -> None:
    """Adds the balance of forces and moments of the whole robot to the normal matrix.

    Args:
        p_BF: (nc, 3) positions of the contacts in the base frame [m].
        problem: the least-squares problem, written.
    """
    A, required = problem.A, problem.required
    n = _WRENCH * problem.size.shape[0]
    force, moment = 1.0 / problem.force_deviation_N**2, 1.0 / problem.moment_deviation_Nm**2
    for c in range(problem.size.shape[0]):
        x, y, z = p_BF[c, 0], p_BF[c, 1], p_BF[c, 2]
        row = _WRENCH * c
        # J' rows of the base: force f, moment p x f + n.
        A[n, row] += force * required[0] + moment * (z * required[4] - y * required[5])
        A[n, row + 1] += force * required[1] + moment * (x * required[5] - z * required[3])
        A[n, row + 2] += force * required[2] + moment * (y * required[3] - x * required[4])
        for k in range(3):
            A[n, row + 3 + k] += moment * required[3 + k]
        for d in range(c + 1):
            add_base_block(A, c, d, p_BF, force, moment)


@struct_kernel
def add_base_block(A: Array, c: int, d: int, p_BF: Array, force: float, moment: float) -> None:
    """Adds the block of the base rows that couples contacts c and d to the normal matrix.

    Args:
        A: normal matrix, written.
        c: index of a contact.
        d: index of a contact, d <= c.
        p_BF: (nc, 3) positions of the contacts in the base frame [m].
        force: weight of the balance of forces [1/N^2].
        moment: weight of the balance of moments [1/Nm^2].
    """
    x, y, z = p_BF[c, 0], p_BF[c, 1], p_BF[c, 2]
    u, v, w = p_BF[d, 0], p_BF[d, 1], p_BF[d, 2]
    row, at = _WRENCH * c, _WRENCH * d
    dot = x * u + y * v + z * w
    for k in range(3):
        A[row + k, at + k] += force + moment * dot
        for m in range(3):
            # (p^)' (q^) = (p . q) I - q p'
            A[row + k, at + m] -= moment * p_BF[d, k] * p_BF[c, m]
        A[row + 3 + k, at + 3 + k] += moment
    # The force of c couples with the moment of d by (p_c^)', the moment of c with the force of d by p_d^.
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


@struct_kernel
def solve_in_place(A: Array, wrench: Array) -> None:
    """Solves the normal equations by Cholesky factorisation.

    The right-hand side is the last row of A, so that the factorisation also does the forward substitution.

    Args:
        A: (6 nc + 1, 6 nc + 1) lower triangle of the normal matrix, and right-hand side; overwritten.
        wrench: (nc, 6) solution, force [N] and moment [Nm] of each contact; written.
    """
    n = A.shape[0] - 1
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
        wrench[i // _WRENCH, i % _WRENCH] = A[n, i]


@struct_kernel
def expect_less_of_moving(
    contact: BoolArray,
    joints: Joints,
    imu: Imu,
    ekf: Filter,
    tables: KinematicTables,
    contacts: Contacts,
    problem: WrenchProblem,
    scratch: Scratch,
) -> None:
    """Narrows the priors of the wrenches of open contacts that move fast.

    When a robot that was pushed throws its legs, errors of the accelerations are as large as a contact force,
    and a swinging foot would seem to carry the robot. A foot that has landed stands still.

    Args:
        contact: (nc,) whether each contact was closed in the last sample.
        joints: joint velocities from the joint observer.
        imu: pose of the IMU in the base frame.
        ekf: the filter after the last sample.
        tables: kinematic tables whose first frames are the contacts.
        contacts: poses of the contacts in the base frame.
        problem: `share` is written.
        scratch: angular velocity of the base; `lever`, `omega` and `column` are written.
    """
    v, v_IMU, w, p_BI = scratch.omega, scratch.lever, scratch.w_B, imu.p_BI
    rotate_back(ekf.R_WI, ekf.v_WI, v_IMU)
    rotate(imu.R_BI, v_IMU, v_IMU)
    for c in range(len(contact)):
        problem.share[c] = 1.0
        if contact[c]:
            continue
        p, column = contacts.p_BF[c], scratch.column
        x, y, z = p[0] - p_BI[0], p[1] - p_BI[1], p[2] - p_BI[2]
        v[0] = v_IMU[0] + w[1] * z - w[2] * y
        v[1] = v_IMU[1] + w[2] * x - w[0] * z
        v[2] = v_IMU[2] + w[0] * y - w[1] * x
        for j in range(len(joints.v)):
            if tables.frame_support[c, j] != 0:
                joint_column(tables.joint_address[j], tables.joint_axis[j], p, column)
                for i in range(3):
                    v[i] += column[i] * joints.v[j]
        speed2 = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
        if speed2 > STILL_M_S * STILL_M_S:
            problem.share[c] = STILL_M_S * STILL_M_S / speed2


@struct_kernel
def weigh_contacts(row: Array, contacts: Contacts, tables: KinematicTables, problem: WrenchProblem) -> None:
    """Determines the contact forces: measured where there is a sensor, else from the joint torques.

    Args:
        row: data of the sensor row.
        contacts: the contacts; their wrenches and normal forces are written.
        tables: kinematic tables whose first frames are the contacts.
        problem: the least-squares problem for the wrenches.
    """
    na, wrench, force = len(tables.joint_address), contacts.wrench_B, contacts.force_N
    tau, measured = row[torques_at(na) : gyro_at(na)], row[contact_forces_at(na) :]
    known = problem.sensed and contact_wrenches(tau, contacts.p_BF, tables, problem, wrench)
    if not known:
        wrench[:] = math.nan
    for c in range(len(force)):
        force[c] = measured[c]
        if known and not abs(measured[c]) < LARGEST_FORCE_N:
            force[c] = 0.0
            for i in range(3):
                force[c] += contacts.R_BF[c, i, 2] * wrench[c, i]
        if abs(force[c]) < LARGEST_FORCE_N:
            contacts.normal_force_N[c] = force[c]
