"""Compiled kernels that estimate the payload from joint torques and kinematics.

They are compiled because NumPy takes 120 us for the soles alone. The payload is estimated in three steps: the
total from the wrenches of the soles minus the weight of the model, the load of each hand from the torques of
its arm minus those that the model needs, and the load of the trunk as the remainder.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kilohertz.estimators.disturbance import observe_disturbance, weigh_steady
from kilohertz.estimators.mean_motion import MeanMotion
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import MOMENT, NV_BASE, QW, QX, QY, QZ, Floats, Ints, Kin, X, Y, Z

PULL, PULL_SQUARED, PULL_PER_KG = range(3)
"""Columns of `Arms.pull`."""
SUM_KG, AHEAD_KG_M, LEFT_KG_M = range(3)
"""Entries of `Load.raw`: total payload, and its first moments about the trunk's origin in heading axes."""
PUSH_X, PUSH_Y, PUSH_UP, TURN_X, TURN_Y = range(5)
"""Entries of `Load.disturbance`: force and moment about the robot's own centre of mass, world axes."""
IN_HAND, WHOLE = range(2)
"""Entries of `Carriers.least_kg`."""
CALM_S, TRUNK_KG, ARMS_KG, PAYLOAD_KG, KNOWN = range(5)
JUDGED = 5
"""Entries of `Load.judged`: time since the last push [s], load of the trunk [kg], average load of all hands
[kg], total payload [kg], and 1 if the torques of this tick are finite. JUDGED is their number."""

RATE_PER_S = 20.0
"""Gain of the disturbance observer [1/s]."""
SETTLE_S, TARE_S = 0.4, 3.0
"""Time constants of the average and of the tare [s], see `weigh_steady`."""
_HAND_SETTLE_S = 0.05
"""Time constant of the load of each hand [s]."""
_STILL_BELIEVED = 0.5
"""Factor on these thresholds for a load that is already accepted (hysteresis)."""
_PUSH, AFTER_PUSH_S = 0.08, 0.5
"""Horizontal disturbance above which it counts as a push, as a fraction of the robot's weight, and the time
after a push in which no load is estimated [s]."""
_ARM_ERROR, _SOLE_ERROR = 0.07, 0.01
"""Relative error of the arms, as a fraction of the load (which is not held exactly at the hand's point), and
of the soles, as a fraction of the robot's mass."""
_LEAST_PULL = (0.1 * GRAVITY_M_S2) ** 2
"""Regularisation of the load of a hand: arms that hang down with levers below 0.1 m hardly measure it."""

Heading = tuple[float, float]
"""Cosine and sine of the base's yaw."""


class Soles(NamedTuple):
    """The C contacts of a robot."""

    frame: Ints
    """(C,) index of the contact's frame in `Kin`."""
    offset: Ints
    """(C,) negative if the contact is open."""
    dim: Ints
    """(C,) number of wrench components that the contact transmits."""
    select: Ints
    """(C, 6) indices of these components among the six of a spatial vector."""


class SoleForces(NamedTuple):
    """Sum of the contact wrenches that support the robot."""

    force_W: Floats
    """(3,) sum of the contact forces, world axes [N]."""
    moment_C: Floats
    """(3,) moment of the contact wrenches about the centre of mass, world axes [Nm]."""
    normal: Floats
    """(6, 6) scratch: normal equations of one sole."""
    wrench: Floats
    """(6,) scratch: wrench of one sole, its selected components first [N, Nm]."""


class Arms(NamedTuple):
    """Loads of the H hands according to the torques of their arms."""

    hands: Ints
    """(H,) frame of each hand in `Kin`."""
    moves_trunk: Ints
    """(nv,) 1 for an entry of v that moves the trunk, so that its joint is not part of an arm."""
    pull: Floats
    """(H, 3) sums over the joints of an arm, PULL, PULL_SQUARED, PULL_PER_KG: the weight of a joint times its
    missing torque, times itself, and times the torque that 1 kg in the hand adds."""
    felt: Floats
    """(3,) scratch: acceleration of a hand minus gravity, in the hand's axes [m/s^2]."""


class Carriers(NamedTuple):
    """The n parts of the robot that carry loads in the model: the hands, and last the trunk."""

    frame: Ints
    """(n,) frame of each carrier in `Kin`."""
    mass_kg: Floats
    """(n,) current load of each carrier in the model [kg]."""
    p_F: Floats
    """(n, 3) position of that load in the carrier's frame [m]."""
    own_centre_F: Floats
    """(n, 3) centre of mass of the unloaded link that the carrier's joint moves, in its frame [m]."""
    p_RC: Floats
    """(3,) vector from the centre of mass of the robot alone to that with its loads, world axes [m]."""
    robot_kg: Floats
    """(1,) mass of the robot alone [kg]."""
    least_kg: Floats
    """(2,) smallest load of a hand, and of the whole robot or its trunk, that counts: IN_HAND, WHOLE [kg]."""


class Load(NamedTuple):
    """The estimated payload, and the quantities from which it is estimated."""

    momentum: Floats
    """(3,) scratch: linear momentum [kg m/s]."""
    moment: Floats
    """(3,) scratch: moment of the contact wrenches about the centre of mass of the robot alone [Nm]."""
    observer: Floats
    """(OBSERVER,) memory of `observe_disturbance`."""
    disturbance: Floats
    """(6,) estimated disturbance [N, Nm], see PUSH_X."""
    judged: Floats
    """(JUDGED,) results and conditions of the estimate, see CALM_S."""
    scales: Floats
    """(SCALES,) memory of `weigh_steady`."""
    raw: Floats
    """(3,) total payload [kg] and its first moments [kg m], see SUM_KG."""
    felt_kg: Floats
    """(H,) load of each hand from the torques of its arm, before the threshold [kg]."""
    hand_kg: Floats
    """(H,) accepted load of each hand [kg]."""
    hand_place: Floats
    """(H, 2) average position of each hand relative to the trunk's origin, ahead and to the left [m]."""
    goal_kg: Floats
    """(n,) accepted load of each carrier [kg]."""
    goal_place: Floats
    """(n, 3) position of that load in the carrier's frame [m]."""
    p_BP: Floats
    """(3,) centre of the total payload relative to the base's origin, heading axes [m]; its height is NaN."""


@kernel
def feel_hands(k: Kin, motion: MeanMotion, arms: Arms) -> None:
    """Computes the sums from which the mass in each hand is estimated, and writes them to `Arms.pull`.

    A mass m in the hand adds m J' (a - g) to the torques, where a is the acceleration of the hand, so that it
    appears in tau - (M vdot + h). The joints are weighted by -J' g, which has no noise: with J' (a - g), as
    in ordinary least squares, the noise of a would bias every mass towards zero.
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
    """Adds up the wrenches of the closed contacts, about the centre of mass.

    Compiled, this takes 2 us for two soles, compared with 120 us in NumPy.
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
    """Writes the wrench w of contact c: the least-squares solution of J' w = M vdot + h - tau on its leg."""
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
    """Computes b <- A^-1 b in place for a positive definite matrix A.

    Args:
        A: lower triangle of the matrix, in the first n rows and columns; overwritten.
        b: right-hand side, in the first n entries; overwritten with the solution.
        n: number of unknowns.
    """
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
    """Writes `Carriers.p_RC`, the shift of the centre of mass by the loads in the model."""
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
    """Runs the disturbance observer with the contact wrenches and the weight of the robot alone.

    A payload then appears as a disturbance. The function also writes whether the torques of this tick are
    finite, and the time since the last push.
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
    # Moment about the centre of mass of the robot alone.
    moment[X] = moment_C[X] + p_RC[Y] * force_W[Z] - p_RC[Z] * force_W[Y]
    moment[Y] = moment_C[Y] + p_RC[Z] * force_W[X] - p_RC[X] * force_W[Z]
    moment[Z] = moment_C[Z] + p_RC[X] * force_W[Y] - p_RC[Y] * force_W[X]
    for r in range(3):
        momentum[r] = k.mass[0] * k.v_WC[r]
    weight_N = carriers.robot_kg[0] * GRAVITY_M_S2
    observe_disturbance(
        momentum, k.L_C, force_W, moment, weight_N, RATE_PER_S, period_s, load.observer, load.disturbance
    )
    # A load pulls down; a push acts sideways, and the legs accelerate after it.
    pushed = math.hypot(load.disturbance[PUSH_X], load.disturbance[PUSH_Y]) > _PUSH * weight_N
    judged[CALM_S] = 0.0 if pushed else judged[CALM_S] + period_s


@kernel
def share_load(period_s: float, k: Kin, arms: Arms, carriers: Carriers, load: Load) -> None:
    """Distributes the payload to the carriers: writes `Load.goal_kg`, `Load.goal_place` and `Load.p_BP`.

    The total is estimated from the soles, and the loads of the hands from the arms; the remainder is assigned
    to the trunk, the last of the carriers. Nothing changes during a push and for AFTER_PUSH_S after it.
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
    """Returns the total payload from the wrenches of the soles [kg], and writes `Load.raw`."""
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
        carriers.least_kg[WHOLE],
        SETTLE_S,
        TARE_S,
        load.scales,
        load.raw,
    )


@kernel
def weigh_by_arms(period_s: float, arms: Arms, carriers: Carriers, load: Load) -> float:
    """Returns the total load of the hands from the missing torques of their arms [kg]."""
    pull, felt_kg, hand_kg = arms.pull, load.felt_kg, load.hand_kg
    share, least_kg = min(period_s / _HAND_SETTLE_S, 1.0), carriers.least_kg[IN_HAND]
    held = 0.0
    for i in range(len(hand_kg)):
        # The load that the model already has in the hand no longer appears as a missing torque.
        missing = pull[i, PULL] + pull[i, PULL_PER_KG] * (carriers.mass_kg[i] - felt_kg[i])
        felt = felt_kg[i] + share * missing / (pull[i, PULL_SQUARED] + _LEAST_PULL)
        felt_kg[i] = max(felt, -least_kg)  # a load is not negative; the bound shortens the recovery
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
    """Computes load and first moments of the hands; the load is limited to what the soles measure.

    Returns:
        The load of all hands [kg], and its first moments ahead and to the left, relative to the trunk's
        origin [kg m].
    """
    hand_kg, hand_place, trunk = load.hand_kg, load.hand_place, carriers.frame[-1]
    c, s = heading
    # The soles carry the load of the hands too; arms that swing fast overestimate it.
    most_kg = total_kg + (carriers.least_kg[WHOLE] if total_kg > 0.0 else 0.0)
    in_hands = ahead = left = 0.0
    slow = min(period_s / SETTLE_S, 1.0)
    for i in range(len(hand_kg)):
        if held_kg > most_kg:
            hand_kg[i] *= most_kg / held_kg
        load.goal_kg[i] = hand_kg[i]
        # The positions of the hands are averaged like the moments; otherwise swinging arms would seem to move
        # the load of the trunk.
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
    """Assigns the payload that the hands do not carry to the trunk."""
    judged, raw = load.judged, load.raw
    hands = len(load.hand_kg)
    trunk = carriers.frame[hands]
    c, s = heading
    rest_kg = raw[SUM_KG] - in_hands
    believed = rest_kg >= (_STILL_BELIEVED if judged[TRUNK_KG] > 0.0 else 1.0) * carriers.least_kg[WHOLE]
    judged[TRUNK_KG] = rest_kg if believed else 0.0
    load.goal_kg[hands] = judged[TRUNK_KG]
    if believed:
        x, y = (raw[AHEAD_KG_M] - ahead) / rest_kg, (raw[LEFT_KG_M] - left) / rest_kg
        wx, wy, wz = c * x - s * y, s * x + c * y, 0.0
        for q in range(3):
            # The height of a load cannot be observed; it is set to that of the trunk's own centre of mass.
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
    """Computes the total payload and its position.

    If only the hands carry a load, arms and soles measure the same mass: the difference between them is
    distributed according to their variances.
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
