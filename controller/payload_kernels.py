"""What is carried, from a tick's torques and kinematics: compiled, as NumPy takes 120 us for the soles alone.

Three sources in turn: the wrenches of the soles against the weight that the model knows, the torques of each
arm against what it should take to hold its hand up, and the rest, which the trunk carries.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.disturbance import observe_disturbance, weigh_steady
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.rows import Vector

Ints = NDArray[np.int64]

CALM_S, TRUNK_KG, ARMS_KG, PAYLOAD_KG, KNOWN = range(5)
JUDGED = 5
"""What is judged: how long nobody has pushed [s], load of the trunk, average load of the hands, all [kg], and
1 where this tick's torques told anything."""

RATE_PER_S = 20.0
SETTLE_S, TARE_S = 0.4, 3.0
_HAND_SETTLE_S = 0.05
_LEAST_IN_HAND, _LEAST_ON_TRUNK = 0.01, 0.02
"""A hand, and the trunk, are believed to carry this part of the robot's mass or more: less is not told from
friction and from what the model is off."""
_STILL_BELIEVED = 0.5
"""Of those, for what is believed already."""
_PUSH, AFTER_PUSH_S = 0.08, 0.5
"""A disturbance that pushes sideways by more than this part of the weight is no load, nor is what follows."""
_ARM_ERROR, _SOLE_ERROR = 0.07, 0.01
"""How well arms weigh, over the load (held a little off the hand's point), and soles, over the robot."""
_LEAST_PULL = (0.1 * GRAVITY_M_S2) ** 2
"""Arms that hang down with levers shorter than 0.1 m hardly tell what is in their hands."""


@kernel
def average_motion(
    period_s: float, ticks: int, v: Vector, last_v: Vector, vdot: Vector, tau_sum: Vector, tau: Vector
) -> None:
    """Mean acceleration and torques of the last ticks; begins anew to sum up."""
    for i in range(len(v)):
        vdot[i] = (v[i] - last_v[i]) / period_s
        last_v[i] = v[i]
    for i in range(len(tau)):
        tau[i] = tau_sum[i] / ticks
        tau_sum[i] = 0.0


@kernel
def feel_hands(
    tau: Vector,
    vdot: Vector,
    M: Vector,
    J: Vector,
    R: Vector,
    h: Vector,
    drift: Vector,
    columns: Ints,
    n_columns: Ints,
    n_base: Ints,
    hands: Ints,
    moves_trunk: Ints,
    pull: Vector,
    felt: Vector,
) -> None:
    """What the torques of each arm say about a mass in its hand.

    A mass m in the hand adds m J' (a - g) to the torques, a the hand's acceleration, so what is missing from
    tau - (M vdot + h) tells of it. Joints count by -J' g, which has no noise: with J' (a - g), as least
    squares would have it, the noise of a makes every mass seem too small. Writes pull (nh, 3), summed over
    the arm's joints: their count times the missing torque, times itself, times what a mass of 1 kg adds.
    """
    nb, nv = n_base[0], len(vdot)
    for i in range(len(hands)):
        f = hands[i]
        pull[i, 0] = pull[i, 1] = pull[i, 2] = 0.0
        for r in range(3):
            felt[r] = drift[f, r] + GRAVITY_M_S2 * R[f, 2, r]
            for a in range(n_columns[f]):
                j = columns[f, a]
                felt[r] += J[f, r, j] * vdot[j]
        for a in range(n_columns[f]):
            j = columns[f, a]
            if j < nb or moves_trunk[j] == 1:
                continue
            per_kg = count = 0.0
            for r in range(3):
                per_kg += J[f, r, j] * felt[r]
                count += GRAVITY_M_S2 * J[f, r, j] * R[f, 2, r]
            missing = tau[j - nb] - h[j]
            for k in range(nv):
                missing -= M[j, k] * vdot[k]
            pull[i, 0] += count * missing
            pull[i, 1] += count * count
            pull[i, 2] += count * per_kg


@kernel
def add_up_soles(
    tau: Vector,
    vdot: Vector,
    M: Vector,
    J: Vector,
    R: Vector,
    p: Vector,
    h: Vector,
    p_WC: Vector,
    columns: Ints,
    n_columns: Ints,
    frame: Ints,
    offset: Ints,
    dim: Ints,
    select: Ints,
    n_base: Ints,
    force_W: Vector,
    moment_C: Vector,
    normal: Vector,
    wrench: Vector,
) -> None:
    """Sums the wrenches of closed contacts: J' w = M vdot + h - tau on the joints above, in least squares.

    Compiled: 2 us for two soles, against 120 us of small NumPy calls.
    """
    force_W[:] = 0.0
    moment_C[:] = 0.0
    nb = n_base[0]
    for c in range(len(offset)):
        if offset[c] < 0:
            continue
        f, n = frame[c], dim[c]
        for r in range(n):
            wrench[r] = 0.0
            for s in range(n):
                normal[r, s] = 1e-9 if r == s else 0.0
        for a in range(n_columns[f]):
            j = columns[f, a]
            if j < nb:
                continue
            missing = h[j] - tau[j - nb]
            for k in range(len(vdot)):
                missing += M[j, k] * vdot[k]
            for r in range(n):
                row = J[f, select[c, r], j]
                wrench[r] += row * missing
                for s in range(r + 1):
                    normal[r, s] += row * J[f, select[c, s], j]
        cholesky_solve(normal, wrench, n)
        x = p[f, 0] - p_WC[0]
        y = p[f, 1] - p_WC[1]
        z = p[f, 2] - p_WC[2]
        fx = fy = fz = 0.0
        for r in range(n):
            axis = select[c, r]
            if axis < 3:
                fx += R[f, 0, axis] * wrench[r]
                fy += R[f, 1, axis] * wrench[r]
                fz += R[f, 2, axis] * wrench[r]
            else:
                for i in range(3):
                    moment_C[i] += R[f, i, axis - 3] * wrench[r]
        force_W[0] += fx
        force_W[1] += fy
        force_W[2] += fz
        moment_C[0] += y * fz - z * fy
        moment_C[1] += z * fx - x * fz
        moment_C[2] += x * fy - y * fx


@kernel
def cholesky_solve(A: Vector, b: Vector, n: int) -> None:
    """Solves b <- A^-1 b for a positive definite A, given by its lower triangle, which is overwritten."""
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= A[i, k] * A[j, k]
            A[i, j] = math.sqrt(total) if i == j else total / A[j, j]
        total = b[i]
        for k in range(i):
            total -= A[i, k] * b[k]
        b[i] = total / A[i, i]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= A[k, i] * b[k]
        b[i] = total / A[i, i]


@kernel
def find_own_centre(
    p_WC: Vector,
    p: Vector,
    R: Vector,
    carriers: Ints,
    carried_kg: Vector,
    carried_place: Vector,
    robot_kg: Vector,
    p_RC: Vector,
) -> None:
    """Writes p_RC (3,), from the robot's own centre of mass to that with the loads that the model has."""
    p_RC[:] = 0.0
    for i in range(len(carriers)):
        f, share = carriers[i], carried_kg[i] / robot_kg[0]
        if share > 0.0:
            for r in range(3):
                place = p[f, r] - p_WC[r]
                for k in range(3):
                    place += R[f, r, k] * carried_place[i, k]
                p_RC[r] += share * place


@kernel
def observe_load(
    period_s: float,
    v_WC: Vector,
    L_C: Vector,
    mass: Vector,
    force_W: Vector,
    moment_C: Vector,
    pull: Vector,
    robot_kg: Vector,
    p_RC: Vector,
    momentum: Vector,
    moment: Vector,
    observer: Vector,
    disturbance: Vector,
    judged: Vector,
) -> None:
    """Lets the observer see what holds the robot up, whose own weight it knows: the load is what disturbs.

    Writes the disturbance (6,), whether this tick's torques are known, and how long nobody has pushed.
    """
    known = 0.0
    for r in range(3):
        known += force_W[r] + moment_C[r]
    for i in range(pull.shape[0]):
        known += pull[i, 0] + pull[i, 1] + pull[i, 2]
    judged[KNOWN] = 1.0 if math.isfinite(known) else 0.0
    if not math.isfinite(known):
        return
    # About the robot's own centre of mass.
    moment[0] = moment_C[0] + p_RC[1] * force_W[2] - p_RC[2] * force_W[1]
    moment[1] = moment_C[1] + p_RC[2] * force_W[0] - p_RC[0] * force_W[2]
    moment[2] = moment_C[2] + p_RC[0] * force_W[1] - p_RC[1] * force_W[0]
    for r in range(3):
        momentum[r] = mass[0] * v_WC[r]
    weight_N = robot_kg[0] * GRAVITY_M_S2
    observe_disturbance(momentum, L_C, force_W, moment, weight_N, RATE_PER_S, period_s, observer, disturbance)
    # Loads pull down; a push goes sideways, and legs hurry after it.
    pushed = math.hypot(disturbance[0], disturbance[1]) > _PUSH * weight_N
    judged[CALM_S] = 0.0 if pushed else judged[CALM_S] + period_s


@kernel
def share_load(
    period_s: float,
    q: Vector,
    p_WC: Vector,
    p: Vector,
    R: Vector,
    pull: Vector,
    carriers: Ints,
    carried_kg: Vector,
    own_centre_F: Vector,
    robot_kg: Vector,
    p_RC: Vector,
    disturbance: Vector,
    judged: Vector,
    scales: Vector,
    raw: Vector,
    felt_kg: Vector,
    hand_kg: Vector,
    hand_place: Vector,
    goal_kg: Vector,
    goal_place: Vector,
    p_BP: Vector,
) -> None:
    """Says what each carrier is believed to carry: goal_kg (n,) and goal_place (n, 3) in its frame.

    Everything is weighed by the soles, what is in the hands by the arms too, the rest is on the trunk, the
    last of the carriers. Nothing is judged while somebody pushes. Also writes p_BP (3,), the middle of all
    that from the base's origin, along its heading; its height is NaN.
    """
    if judged[KNOWN] == 0.0 or judged[CALM_S] < AFTER_PUSH_S:
        return
    hands, kg = len(carriers) - 1, robot_kg[0]
    trunk = carriers[hands]
    yaw = math.atan2(2.0 * (q[6] * q[5] + q[3] * q[4]), 1.0 - 2.0 * (q[4] * q[4] + q[5] * q[5]))
    c, s = math.cos(yaw), math.sin(yaw)
    held = 0.0
    for i in range(hands):
        held += hand_kg[i]

    # Everything, by the soles: mass, and first moments about the trunk's origin.
    x, y = p_WC[0] - p_RC[0] - p[trunk, 0], p_WC[1] - p_RC[1] - p[trunk, 1]
    mx, my = disturbance[3] + y * disturbance[2], disturbance[4] - x * disturbance[2]
    total_kg = weigh_steady(
        disturbance[2],
        c * mx + s * my,
        c * my - s * mx,
        period_s,
        held == 0.0,
        kg,
        SETTLE_S,
        TARE_S,
        scales,
        raw,
    )

    # Hands, by what is missing from the torques of their arms.
    share, least_kg = min(period_s / _HAND_SETTLE_S, 1.0), _LEAST_IN_HAND * kg
    held = 0.0
    for i in range(hands):
        # What the model has in the hand already is no longer missing from the torques.
        missing = pull[i, 0] + pull[i, 2] * (carried_kg[i] - felt_kg[i])
        felt = felt_kg[i] + share * missing / (pull[i, 1] + _LEAST_PULL)
        felt_kg[i] = max(felt, -least_kg)  # there is no negative load to recover from
        enough = least_kg * (_STILL_BELIEVED if hand_kg[i] > 0.0 else 1.0)
        hand_kg[i] = felt_kg[i] if felt_kg[i] >= enough else 0.0
        held += hand_kg[i]
    # What is in the hands weighs on the soles too; arms that swing fast feel more than there is.
    most_kg = total_kg + (_LEAST_ON_TRUNK * kg if total_kg > 0.0 else 0.0)
    in_hands = ahead = left = 0.0
    slow = min(period_s / SETTLE_S, 1.0)
    for i in range(hands):
        if held > most_kg:
            hand_kg[i] *= most_kg / held
        goal_kg[i] = hand_kg[i]
        # Where the hands are is averaged like the moments: else arms that swing would seem to shift the rest.
        x, y = p[carriers[i], 0] - p[trunk, 0], p[carriers[i], 1] - p[trunk, 1]
        hand_place[i, 0] += slow * (c * x + s * y - hand_place[i, 0])
        hand_place[i, 1] += slow * (c * y - s * x - hand_place[i, 1])
        in_hands += hand_kg[i]
        ahead += hand_kg[i] * hand_place[i, 0]
        left += hand_kg[i] * hand_place[i, 1]

    # The trunk carries what the hands do not.
    rest_kg = raw[0] - in_hands
    believed = rest_kg >= (_STILL_BELIEVED if judged[TRUNK_KG] > 0.0 else 1.0) * _LEAST_ON_TRUNK * kg
    judged[TRUNK_KG] = rest_kg if believed else 0.0
    goal_kg[hands] = judged[TRUNK_KG]
    if believed:
        x, y = (raw[1] - ahead) / rest_kg, (raw[2] - left) / rest_kg
        wx, wy, wz = c * x - s * y, s * x + c * y, 0.0
        for k in range(3):
            # A load's height does not show: it is taken to be that of the trunk's own mass.
            wz += R[trunk, 2, k] * own_centre_F[hands, k]
        for k in range(3):
            goal_place[hands, k] = R[trunk, 0, k] * wx + R[trunk, 1, k] * wy + R[trunk, 2, k] * wz
        ahead, left = raw[1], raw[2]

    # All of it. Arms and soles weigh the same: what they differ by is shared by how well each can tell.
    judged[ARMS_KG] += slow * (in_hands - judged[ARMS_KG])
    payload_kg = raw[0] if believed or in_hands > 0.0 else 0.0
    if in_hands > 0.0 and not believed:
        arms, soles = _ARM_ERROR * in_hands, _SOLE_ERROR * kg
        payload_kg += soles * soles / (arms * arms + soles * soles) * (judged[ARMS_KG] - raw[0])
    judged[PAYLOAD_KG] = payload_kg
    p_BP[0] = p_BP[1] = p_BP[2] = math.nan
    if payload_kg > 0.0:
        whole = in_hands + judged[TRUNK_KG]
        x, y = p[trunk, 0] - q[0], p[trunk, 1] - q[1]
        p_BP[0], p_BP[1] = c * x + s * y + ahead / whole, c * y - s * x + left / whole
