"""What is carried, from a tick's torques and kinematics: compiled, as NumPy takes 120 us for the soles alone.

Three sources in turn: the wrenches of the soles against the weight that the model knows, the torques of each
arm against what it should take to hold its hand up, and the rest, which the trunk carries.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kilohertz.estimators.disturbance import observe_disturbance, weigh_steady
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import MOMENT, NV_BASE, QW, QX, QY, QZ, Floats, Ints, Kin, X, Y, Z

PULL, PULL_SQUARED, PULL_PER_KG = range(3)
"""Columns of `Arms.pull`."""
SUM_KG, AHEAD_KG_M, LEFT_KG_M = range(3)
"""Entries of `Load.raw`: everything carried, and its first moments from the trunk's origin, heading axes."""
PUSH_X, PUSH_Y, PUSH_UP, TURN_X, TURN_Y = range(5)
"""Entries of `Load.disturbance`: force and moment about the robot's own centre of mass, world axes."""
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

Heading = tuple[float, float]
"""Cosine and sine of the base's yaw."""


class Soles(NamedTuple):
    """The contacts of a robot, C of them."""

    frame: Ints
    """(C,) index of the contact's frame in `Kin`."""
    offset: Ints
    """(C,) negative where the contact is open."""
    dim: Ints
    """(C,) components of the wrench that the contact transmits."""
    select: Ints
    """(C, 6) which of the six spatial components they are."""


class MeanMotion(NamedTuple):
    """Torque and acceleration, averaged from one weighing to the next."""

    tau_sum: Floats
    """(na,) torques of the ticks since the last weighing, added up [Nm]."""
    last_v: Floats
    """(nv,) velocity at the last weighing."""
    tau: Floats
    """(na,) mean torque [Nm]."""
    vdot: Floats
    """(nv,) mean acceleration."""


class SoleForces(NamedTuple):
    """What holds the robot up."""

    force_W: Floats
    """(3,) sum of the contact forces, world axes [N]."""
    moment_C: Floats
    """(3,) their moment about the centre of mass, world axes [Nm]."""
    normal: Floats
    """(6, 6) scratch: normal equations of one sole."""
    wrench: Floats
    """(6,) scratch: wrench of one sole, its selected components first [N, Nm]."""


class Arms(NamedTuple):
    """What the torques of the arms say, H hands."""

    hands: Ints
    """(H,) frame of each hand in `Kin`."""
    moves_trunk: Ints
    """(nv,) 1 for an entry of v that moves the trunk: a joint that is no part of an arm."""
    pull: Floats
    """(H, 3) sums over the arm's joints, PULL, PULL_SQUARED, PULL_PER_KG: the count of a joint times the
    torque that is missing, times itself, times what a mass of 1 kg in the hand adds."""
    felt: Floats
    """(3,) scratch: acceleration of a hand, gravity included, in its axes [m/s^2]."""


class Carriers(NamedTuple):
    """What the model has loads on: hands, and last the trunk; n of them."""

    frame: Ints
    """(n,) frame of each carrier in `Kin`."""
    mass_kg: Floats
    """(n,) load that the model has there now."""
    p_F: Floats
    """(n, 3) where it is, in the carrier's frame [m]."""
    own_centre_F: Floats
    """(n, 3) centre of mass of what the carrier's joint moves by itself, in its frame [m]."""
    p_RC: Floats
    """(3,) from the centre of mass of the robot alone to that with its loads, world axes [m]."""
    robot_kg: Floats
    """(1,) mass of the robot alone."""


class Load(NamedTuple):
    """What is believed to be carried, and what that is judged by."""

    momentum: Floats
    moment: Floats
    """(3,) scratch: linear momentum [kg m/s], moment about the robot's own centre of mass [Nm]."""
    observer: Floats
    """(OBSERVER,) memory of `observe_disturbance`."""
    disturbance: Floats
    """(6,) PUSH_X to TURN_Y [N, Nm]."""
    judged: Floats
    """(JUDGED,) CALM_S to KNOWN."""
    scales: Floats
    """(SCALES,) memory of `weigh_steady`."""
    raw: Floats
    """(3,) SUM_KG, AHEAD_KG_M, LEFT_KG_M."""
    felt_kg: Floats
    """(H,) load of each hand as its arm tells, unjudged."""
    hand_kg: Floats
    """(H,) load of each hand as it is believed."""
    hand_place: Floats
    """(H, 2) average place of each hand from the trunk's origin, ahead and to the left [m]."""
    goal_kg: Floats
    """(n,) load of each carrier as it is believed."""
    goal_place: Floats
    """(n, 3) where, in the carrier's frame [m]."""
    p_BP: Floats
    """(3,) middle of everything carried, from the base's origin along its heading; its height is NaN [m]."""


@kernel
def average_motion(period_s: float, ticks: int, k: Kin, motion: MeanMotion) -> None:
    """Mean acceleration and torques of the last ticks; begins anew to sum up."""
    for i in range(len(k.v)):
        motion.vdot[i] = (k.v[i] - motion.last_v[i]) / period_s
        motion.last_v[i] = k.v[i]
    for i in range(len(motion.tau)):
        motion.tau[i] = motion.tau_sum[i] / ticks
        motion.tau_sum[i] = 0.0


@kernel
def feel_hands(k: Kin, motion: MeanMotion, arms: Arms) -> None:
    """What the torques of each arm say about a mass in its hand.

    A mass m in the hand adds m J' (a - g) to the torques, a the hand's acceleration, so what is missing from
    tau - (M vdot + h) tells of it. Joints count by -J' g, which has no noise: with J' (a - g), as least
    squares would have it, the noise of a makes every mass seem too small.
    """
    vdot, felt, pull = motion.vdot, arms.felt, arms.pull
    nb, nv = k.size[NV_BASE], len(vdot)
    for i in range(len(arms.hands)):
        f = arms.hands[i]
        pull[i, PULL] = pull[i, PULL_SQUARED] = pull[i, PULL_PER_KG] = 0.0
        for r in range(3):
            felt[r] = k.drift[f, r] + GRAVITY_M_S2 * k.R[f, Z, r]
            for a in range(k.n_columns[f]):
                j = k.columns[f, a]
                felt[r] += k.J[f, r, j] * vdot[j]
        for a in range(k.n_columns[f]):
            j = k.columns[f, a]
            if j < nb or arms.moves_trunk[j] == 1:
                continue
            per_kg = count = 0.0
            for r in range(3):
                per_kg += k.J[f, r, j] * felt[r]
                count += GRAVITY_M_S2 * k.J[f, r, j] * k.R[f, Z, r]
            missing = motion.tau[j - nb] - k.h[j]
            for q in range(nv):
                missing -= k.M[j, q] * vdot[q]
            pull[i, PULL] += count * missing
            pull[i, PULL_SQUARED] += count * count
            pull[i, PULL_PER_KG] += count * per_kg


@kernel
def add_up_soles(k: Kin, soles: Soles, motion: MeanMotion, forces: SoleForces) -> None:
    """Sums the wrenches of closed contacts.

    Compiled: 2 us for two soles, against 120 us of small NumPy calls.
    """
    force_W, moment_C, wrench = forces.force_W, forces.moment_C, forces.wrench
    force_W[:] = 0.0
    moment_C[:] = 0.0
    for c in range(len(soles.offset)):
        if soles.offset[c] < 0:
            continue
        f, n = soles.frame[c], soles.dim[c]
        sole_wrench(c, k, soles, motion, forces)
        x = k.p[f, X] - k.p_WC[X]
        y = k.p[f, Y] - k.p_WC[Y]
        z = k.p[f, Z] - k.p_WC[Z]
        fx = fy = fz = 0.0
        for r in range(n):
            axis = soles.select[c, r]
            if axis < MOMENT:
                fx += k.R[f, X, axis] * wrench[r]
                fy += k.R[f, Y, axis] * wrench[r]
                fz += k.R[f, Z, axis] * wrench[r]
            else:
                for i in range(3):
                    moment_C[i] += k.R[f, i, axis - MOMENT] * wrench[r]
        force_W[X] += fx
        force_W[Y] += fy
        force_W[Z] += fz
        moment_C[X] += y * fz - z * fy
        moment_C[Y] += z * fx - x * fz
        moment_C[Z] += x * fy - y * fx


@kernel
def sole_wrench(c: int, k: Kin, soles: Soles, motion: MeanMotion, forces: SoleForces) -> None:
    """Writes the wrench of one contact: J' w = M vdot + h - tau on the joints above, in least squares."""
    normal, wrench, vdot, nb = forces.normal, forces.wrench, motion.vdot, k.size[NV_BASE]
    f, n = soles.frame[c], soles.dim[c]
    for r in range(n):
        wrench[r] = 0.0
        for s in range(n):
            normal[r, s] = 1e-9 if r == s else 0.0
    for a in range(k.n_columns[f]):
        j = k.columns[f, a]
        if j < nb:
            continue
        missing = k.h[j] - motion.tau[j - nb]
        for q in range(len(vdot)):
            missing += k.M[j, q] * vdot[q]
        for r in range(n):
            row = k.J[f, soles.select[c, r], j]
            wrench[r] += row * missing
            for s in range(r + 1):
                normal[r, s] += row * k.J[f, soles.select[c, s], j]
    cholesky_solve(normal, wrench, n)


@kernel
def cholesky_solve(A: Floats, b: Floats, n: int) -> None:
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
def find_own_centre(k: Kin, carriers: Carriers) -> None:
    """Writes `Carriers.p_RC`."""
    p_RC = carriers.p_RC
    p_RC[:] = 0.0
    for i in range(len(carriers.frame)):
        f, share = carriers.frame[i], carriers.mass_kg[i] / carriers.robot_kg[0]
        if share > 0.0:
            for r in range(3):
                place = k.p[f, r] - k.p_WC[r]
                for q in range(3):
                    place += k.R[f, r, q] * carriers.p_F[i, q]
                p_RC[r] += share * place


@kernel
def observe_load(
    period_s: float, k: Kin, forces: SoleForces, arms: Arms, carriers: Carriers, load: Load
) -> None:
    """Lets the observer see what holds the robot up, whose own weight it knows: the load is what disturbs.

    Writes the disturbance, whether this tick's torques are known, and how long nobody has pushed.
    """
    force_W, moment_C, pull, p_RC = forces.force_W, forces.moment_C, arms.pull, carriers.p_RC
    momentum, moment, judged = load.momentum, load.moment, load.judged
    known = 0.0
    for r in range(3):
        known += force_W[r] + moment_C[r]
    for i in range(pull.shape[0]):
        known += pull[i, PULL] + pull[i, PULL_SQUARED] + pull[i, PULL_PER_KG]
    judged[KNOWN] = 1.0 if math.isfinite(known) else 0.0
    if not math.isfinite(known):
        return
    # About the robot's own centre of mass.
    moment[X] = moment_C[X] + p_RC[Y] * force_W[Z] - p_RC[Z] * force_W[Y]
    moment[Y] = moment_C[Y] + p_RC[Z] * force_W[X] - p_RC[X] * force_W[Z]
    moment[Z] = moment_C[Z] + p_RC[X] * force_W[Y] - p_RC[Y] * force_W[X]
    for r in range(3):
        momentum[r] = k.mass[0] * k.v_WC[r]
    weight_N = carriers.robot_kg[0] * GRAVITY_M_S2
    observe_disturbance(
        momentum, k.L_C, force_W, moment, weight_N, RATE_PER_S, period_s, load.observer, load.disturbance
    )
    # Loads pull down; a push goes sideways, and legs hurry after it.
    pushed = math.hypot(load.disturbance[PUSH_X], load.disturbance[PUSH_Y]) > _PUSH * weight_N
    judged[CALM_S] = 0.0 if pushed else judged[CALM_S] + period_s


@kernel
def share_load(period_s: float, k: Kin, arms: Arms, carriers: Carriers, load: Load) -> None:
    """Says what each carrier is believed to carry: `Load.goal_kg` and `Load.goal_place`.

    Everything is weighed by the soles, what is in the hands by the arms too, the rest is on the trunk, the
    last of the carriers. Nothing is judged while somebody pushes. Also writes `Load.p_BP`.
    """
    if load.judged[KNOWN] == 0.0 or load.judged[CALM_S] < AFTER_PUSH_S:
        return
    q = k.q
    yaw = math.atan2(2.0 * (q[QW] * q[QZ] + q[QX] * q[QY]), 1.0 - 2.0 * (q[QY] * q[QY] + q[QZ] * q[QZ]))
    heading = (math.cos(yaw), math.sin(yaw))
    total_kg = weigh_by_soles(period_s, heading, k, carriers, load)
    held_kg = weigh_by_arms(period_s, arms, carriers, load)
    in_hands, ahead, left = place_hands(period_s, held_kg, total_kg, heading, k, carriers, load)
    load_trunk(in_hands, ahead, left, heading, k, carriers, load)
    sum_up(period_s, in_hands, ahead, left, heading, k, carriers, load)


@kernel
def weigh_by_soles(period_s: float, heading: Heading, k: Kin, carriers: Carriers, load: Load) -> float:
    """Everything that is carried, by the soles [kg]; writes `Load.raw`."""
    trunk, held, p_RC, disturbance = carriers.frame[-1], 0.0, carriers.p_RC, load.disturbance
    for i in range(len(load.hand_kg)):
        held += load.hand_kg[i]
    c, s = heading
    x, y = k.p_WC[X] - p_RC[X] - k.p[trunk, X], k.p_WC[Y] - p_RC[Y] - k.p[trunk, Y]
    mx = disturbance[TURN_X] + y * disturbance[PUSH_UP]
    my = disturbance[TURN_Y] - x * disturbance[PUSH_UP]
    return weigh_steady(
        disturbance[PUSH_UP],
        c * mx + s * my,
        c * my - s * mx,
        period_s,
        held == 0.0,
        carriers.robot_kg[0],
        SETTLE_S,
        TARE_S,
        load.scales,
        load.raw,
    )


@kernel
def weigh_by_arms(period_s: float, arms: Arms, carriers: Carriers, load: Load) -> float:
    """What is in the hands, by what is missing from the torques of their arms [kg]."""
    pull, felt_kg, hand_kg = arms.pull, load.felt_kg, load.hand_kg
    share, least_kg = min(period_s / _HAND_SETTLE_S, 1.0), _LEAST_IN_HAND * carriers.robot_kg[0]
    held = 0.0
    for i in range(len(hand_kg)):
        # What the model has in the hand already is no longer missing from the torques.
        missing = pull[i, PULL] + pull[i, PULL_PER_KG] * (carriers.mass_kg[i] - felt_kg[i])
        felt = felt_kg[i] + share * missing / (pull[i, PULL_SQUARED] + _LEAST_PULL)
        felt_kg[i] = max(felt, -least_kg)  # there is no negative load to recover from
        enough = least_kg * (_STILL_BELIEVED if hand_kg[i] > 0.0 else 1.0)
        hand_kg[i] = felt_kg[i] if felt_kg[i] >= enough else 0.0
        held += hand_kg[i]
    return held


@kernel
def place_hands(
    period_s: float,
    held_kg: float,
    total_kg: float,
    heading: Heading,
    k: Kin,
    carriers: Carriers,
    load: Load,
) -> tuple[float, float, float]:
    """What is in the hands [kg], no more than the soles allow, and its first moments [kg m]."""
    hand_kg, hand_place, trunk = load.hand_kg, load.hand_place, carriers.frame[-1]
    c, s = heading
    # What is in the hands weighs on the soles too; arms that swing fast feel more than there is.
    most_kg = total_kg + (_LEAST_ON_TRUNK * carriers.robot_kg[0] if total_kg > 0.0 else 0.0)
    in_hands = ahead = left = 0.0
    slow = min(period_s / SETTLE_S, 1.0)
    for i in range(len(hand_kg)):
        if held_kg > most_kg:
            hand_kg[i] *= most_kg / held_kg
        load.goal_kg[i] = hand_kg[i]
        # Where the hands are is averaged like the moments: else arms that swing would seem to shift the rest.
        x, y = k.p[carriers.frame[i], X] - k.p[trunk, X], k.p[carriers.frame[i], Y] - k.p[trunk, Y]
        hand_place[i, X] += slow * (c * x + s * y - hand_place[i, X])
        hand_place[i, Y] += slow * (c * y - s * x - hand_place[i, Y])
        in_hands += hand_kg[i]
        ahead += hand_kg[i] * hand_place[i, X]
        left += hand_kg[i] * hand_place[i, Y]
    return in_hands, ahead, left


@kernel
def load_trunk(
    in_hands: float, ahead: float, left: float, heading: Heading, k: Kin, carriers: Carriers, load: Load
) -> None:
    """Puts on the trunk what the hands do not carry."""
    judged, raw, kg = load.judged, load.raw, carriers.robot_kg[0]
    hands = len(load.hand_kg)
    trunk = carriers.frame[hands]
    c, s = heading
    rest_kg = raw[SUM_KG] - in_hands
    believed = rest_kg >= (_STILL_BELIEVED if judged[TRUNK_KG] > 0.0 else 1.0) * _LEAST_ON_TRUNK * kg
    judged[TRUNK_KG] = rest_kg if believed else 0.0
    load.goal_kg[hands] = judged[TRUNK_KG]
    if believed:
        x, y = (raw[AHEAD_KG_M] - ahead) / rest_kg, (raw[LEFT_KG_M] - left) / rest_kg
        wx, wy, wz = c * x - s * y, s * x + c * y, 0.0
        for q in range(3):
            # A load's height does not show: it is taken to be that of the trunk's own mass.
            wz += k.R[trunk, Z, q] * carriers.own_centre_F[hands, q]
        for q in range(3):
            load.goal_place[hands, q] = k.R[trunk, X, q] * wx + k.R[trunk, Y, q] * wy + k.R[trunk, Z, q] * wz


@kernel
def sum_up(
    period_s: float,
    in_hands: float,
    ahead: float,
    left: float,
    heading: Heading,
    k: Kin,
    carriers: Carriers,
    load: Load,
) -> None:
    """Says how much there is in all, and where.

    Arms and soles weigh the same: what they differ by is shared by how well each can tell.
    """
    judged, raw, p_BP, kg = load.judged, load.raw, load.p_BP, carriers.robot_kg[0]
    believed = judged[TRUNK_KG] > 0.0
    judged[ARMS_KG] += min(period_s / SETTLE_S, 1.0) * (in_hands - judged[ARMS_KG])
    payload_kg = raw[SUM_KG] if believed or in_hands > 0.0 else 0.0
    if in_hands > 0.0 and not believed:
        arms, soles = _ARM_ERROR * in_hands, _SOLE_ERROR * kg
        payload_kg += soles * soles / (arms * arms + soles * soles) * (judged[ARMS_KG] - raw[SUM_KG])
    judged[PAYLOAD_KG] = payload_kg
    p_BP[X] = p_BP[Y] = p_BP[Z] = math.nan
    if payload_kg > 0.0:
        if believed:
            ahead, left = raw[AHEAD_KG_M], raw[LEFT_KG_M]
        whole = in_hands + judged[TRUNK_KG]
        trunk = carriers.frame[-1]
        c, s = heading
        x, y = k.p[trunk, X] - k.q[X], k.p[trunk, Y] - k.q[Y]
        p_BP[X], p_BP[Y] = c * x + s * y + ahead / whole, c * y - s * x + left / whole
