"""Compiled rules of the robot's envelope: what one period does to the torques of all joints.

The rules and the reasons for their numbers are those of `kilohertz.robots.wire.envelope`. Results are to the
bit those of the same expressions in Python, so that test vectors hold in every language.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.kernels import exact_kernel
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.rows import Vector

UPPER, LOWER = 0, 1
"""Rows of arrays of the shape (2, na): towards the upper and towards the lower end of the range."""

NONE, JUMPED, DRIVEN_FAST, DRIVEN_BEYOND, LIMP_LEGS, CANNOT_FOLLOW, CANNOT_BRAKE = range(7)
"""What a period found: nothing, or the rule by which a command left the envelope."""

JUMP_COUNT, LAG_COUNT, BRAKE_COUNT, LIMP_COUNT = range(4)
"""Entries of `EnvelopeState.counts`."""


class EnvelopeRules(NamedTuple):
    """The numbers of the rules for each joint; constants of `envelope` as numbers."""

    torque: Floats
    """(na,) torque limits [Nm]."""
    step: Floats
    """(na,) largest change of a torque within a period [Nm]."""
    inward: Floats
    """(na,) largest change of a torque that turns a joint inwards, within a period [Nm]."""
    ends: Floats
    """(2, na) upper end, and negative lower end [rad]."""
    top: Floats
    """(na,) speed at which driving torque is 0 [rad/s]."""
    per_speed: Floats
    """(na,) slope of driving torque below that speed, in torque limits per speed [s/rad]."""
    effort: Floats
    """(na,) v^2 / distance times this is the part of the full torque that brakes within the distance."""
    ramp_per_torque: Floats
    """(na,) time until a torque is 0 at the allowed rate, per torque [s/Nm]."""
    stop: Floats
    """(na,) distance over which the torque at the end of the range changes by the torque limit [rad]."""
    jump: Floats
    """(na,) change of a demanded torque within a period that counts as a jump [Nm]."""
    driven: Floats
    """(na,) torque above which a joint is driven on [Nm]."""
    lag: Floats
    """(na,) distance of a demanded torque from the one that follows it that counts [Nm]."""
    speed: Floats
    """(na,) speed limits [rad/s]."""
    too_fast: Floats
    """(na,) speed above which a joint must not be driven on [rad/s]."""
    limp: Floats
    """(na,) torque below which a joint carries nothing [Nm]."""
    undamped: Floats
    """(na,) kd below which a joint without torque is limp [Nms/rad]."""
    leg: Ints
    """(na,) 1 for the joints of legs."""
    legs: int
    """Number of the joints of legs."""
    soft: float
    """`SOFT_RAD` [rad]."""
    reaction: float
    """`REACTION_S` [s]."""
    shortest: float
    """`SHORTEST_BRAKING_RAD` [rad]."""
    braking_full: float
    """`BRAKING_FULL`."""
    braking_slope: float
    """`BRAKING_SLOPE`."""
    ramp_share: float
    """`RAMP_SHARE`."""
    jumps: float
    """`JUMPS`."""
    forgotten: float
    """`FORGOTTEN`."""
    lags: float
    """`LAGS`."""
    brakes: float
    """`BRAKES`."""
    beyond: float
    """`BEYOND_RAD` [rad]."""
    out_ticks: float
    """`OUT_TICKS`."""
    limp_ticks: float
    """`LIMP_TICKS`."""


class EnvelopeState(NamedTuple):
    """What the envelope keeps from one period to the next, and what a period found."""

    last: Floats
    """(na,) torque of the last period [Nm]."""
    wished: Floats
    """(na,) torque that the drives would apply without the envelope [Nm]."""
    v: Floats
    """(na,) measured velocity of the last period [rad/s]."""
    demand: Floats
    """(na,) torque that was demanded in the last period [Nm]."""
    shadow: Floats
    """(na,) torque that follows the demanded one at the allowed rate [Nm]."""
    fast: Floats
    """(2, na) periods in which a joint was too fast and driven on."""
    out: Floats
    """(2, na) periods in which a joint was beyond its range and driven on."""
    counts: Floats
    """(4,) counts of all joints together, see `JUMP_COUNT`."""
    measured: Ints
    """(1,) 1 once `v` is that of a period before."""
    room: Floats
    """(2, na) distances to the ends of the range [rad]."""
    bound: Floats
    """(2, na) largest torque towards the ends [Nm]."""
    end: Floats
    """(2, na) largest torque towards the ends, without regard to speed [Nm]."""
    clipped: Ints
    """(1,) periods in which a torque was changed by more than 0.1 % of its limit."""
    joint: Ints
    """(1,) first joint that left the envelope."""
    told: Floats
    """(2,) its value, and the limit of this value."""


def envelope_state(na: int) -> EnvelopeState:
    """Returns the state of a robot of `na` joints that has not moved."""
    last, wished, v, demand, shadow = np.zeros((5, na))
    fast, out, room, bound, end = np.zeros((5, 2, na))
    measured, clipped, joint = np.zeros((3, 1), np.int64)
    counts, told = np.zeros(4), np.zeros(2)
    return EnvelopeState(
        last, wished, v, demand, shadow, fast, out, counts, measured, room, bound, end, clipped, joint, told
    )


@exact_kernel
def limit_period(
    tau: Vector,
    q: Vector,
    v: Vector,
    kd: Vector,
    follows: int,
    judges: int,
    margin_rad: float,
    rules: EnvelopeRules,
    state: EnvelopeState,
) -> int:
    """Brings the torques of one period into the envelope, in place.

    Args:
        tau: (na,) torques that the drives would apply, overwritten [Nm].
        q: (na,) measured positions of the joints [rad].
        v: (na,) measured velocities of the joints [rad/s].
        kd: (na,) velocity gains of the command [Nms/rad].
        follows: 1 if the torques follow a command; 0 if the robot damps or holds by itself.
        judges: 1 to find out whether the command leaves the envelope.
        margin_rad: distance before the end of its range at which a joint is turned back [rad].
        rules: numbers of the rules.
        state: state, updated.

    Returns:
        The rule by which the command left the envelope, or `NONE`.
    """
    na, found = len(tau), NONE
    measure(q, v, margin_rad, rules, state)
    for j in range(na):
        state.wished[j] = tau[j]
        tau[j] = np.maximum(np.minimum(tau[j], rules.torque[j]), -rules.torque[j])
    if follows and judges:
        found = judge_demand(tau, kd, rules, state)
    for j in range(na):
        tau[j] = np.maximum(np.minimum(tau[j], state.bound[UPPER, j]), -state.bound[LOWER, j])
    if follows:
        if judges and found == NONE:
            found = judge_braking(tau, rules, state)
        for j in range(na):
            tau[j] = np.minimum(
                np.maximum(tau[j], state.last[j] - rules.step[j]), state.last[j] + rules.step[j]
            )
        turn_back(tau, rules, state)
    changed = 0
    for j in range(na):
        if not follows:
            # The torque that the robot applies by itself, from which the first command may jump.
            state.demand[j] = state.shadow[j] = tau[j]
        state.last[j] = tau[j]
        if abs(state.wished[j] - tau[j]) > rules.torque[j] * 1e-3:
            changed = 1
    state.clipped[0] += changed
    return found


@exact_kernel
def measure(q: Vector, v: Vector, margin_rad: float, rules: EnvelopeRules, state: EnvelopeState) -> None:
    """Computes the room to the ends of the range and the bounds of torque towards them."""
    for j in range(len(q)):
        grown = v[j] - state.v[j] if state.measured[0] else 0.0
        state.v[j] = v[j]
        # The speed at the time when the present torque can have become 0. A joint that slows down does not
        # yet move towards the other end.
        grown *= abs(state.last[j]) / rules.step[j] * rules.ramp_share + 1.0
        if not grown * v[j] > 0.0:
            grown = 0.0
        for side in range(2):
            sign = 1.0 if side == UPPER else -1.0
            room = rules.ends[side, j] - sign * q[j]
            speed = sign * v[j] + max(sign * grown, 0.0)
            state.room[side, j] = room
            end = (room + (rules.soft - margin_rad)) / rules.stop[j]
            bound = np.minimum((rules.top[j] - speed) * rules.per_speed[j], end)
            state.end[side, j] = np.minimum(np.maximum(end, -1.0), 1.0) * rules.torque[j]
            # Braking begins after the time in which the present torque turns into the braking one.
            speed = np.maximum(speed, 0.0)
            delay = np.maximum(sign * (state.last[j] * rules.ramp_per_torque[j]) + rules.reaction, 0.0)
            distance = np.maximum(room - delay * speed, 0.0) + rules.shortest
            braking = rules.effort[j] / distance * speed * speed
            bound = np.minimum(bound, braking * -rules.braking_slope + rules.braking_full)
            state.bound[side, j] = np.minimum(np.maximum(bound, -1.0), 1.0) * rules.torque[j]
    state.measured[0] = 1


@exact_kernel
def turn_back(tau: Vector, rules: EnvelopeRules, state: EnvelopeState) -> None:
    """Turns the torque of joints beyond their range inwards, faster than the rate of a command."""
    for j in range(len(tau)):
        upper = np.maximum(state.last[j] - rules.inward[j], state.end[UPPER, j])
        lower = np.minimum(state.last[j] + rules.inward[j], -state.end[LOWER, j])
        tau[j] = np.maximum(np.minimum(tau[j], upper), lower)


@exact_kernel
def judge_demand(tau: Vector, kd: Vector, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Finds what only a wrong controller demands, in torques within their limits; returns the rule."""
    found = judge_jumps(tau, rules, state)
    if found == NONE:
        found = judge_driven(tau, UPPER, rules, state)
    if found == NONE:
        found = judge_driven(tau, LOWER, rules, state)
    if found == NONE:
        found = judge_limp(tau, kd, rules, state)
    if found == NONE:
        found = judge_lag(tau, rules, state)
    return found


@exact_kernel
def tell(joint: int, value: float, limit: float, state: EnvelopeState) -> None:
    """Notes the joint that left the envelope, and by how much."""
    state.joint[0] = joint
    state.told[0] = value
    state.told[1] = limit


@exact_kernel
def judge_jumps(tau: Vector, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Counts periods in which a demanded torque jumps."""
    first = -1
    for j in range(len(tau)):
        change = abs(tau[j] - state.demand[j])
        state.demand[j] = tau[j]
        if first < 0 and change > rules.jump[j]:
            first = j
            tell(j, change / rules.torque[j], rules.step[j] / rules.torque[j], state)
    if first < 0:
        state.counts[JUMP_COUNT] = max(0.0, state.counts[JUMP_COUNT] - rules.forgotten)
        return NONE
    state.counts[JUMP_COUNT] += 1.0
    return JUMPED if state.counts[JUMP_COUNT] > rules.jumps else NONE


@exact_kernel
def judge_driven(tau: Vector, side: int, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Finds joints beyond a limit that the command drives on: an impact is not blamed on the command."""
    sign = 1.0 if side == UPPER else -1.0
    fast = beyond = -1
    for j in range(len(tau)):
        driven = sign * tau[j] > rules.driven[j]
        out = driven and sign * state.v[j] > rules.too_fast[j]
        state.fast[side, j] = state.fast[side, j] + 1.0 if out else 0.0
        if fast < 0 and state.fast[side, j] >= rules.out_ticks:
            fast = j
    if fast >= 0:
        tell(fast, state.v[fast], rules.speed[fast], state)
        return DRIVEN_FAST
    for j in range(len(tau)):
        out = sign * tau[j] > rules.driven[j] and state.room[side, j] < -rules.beyond
        state.out[side, j] = state.out[side, j] + 1.0 if out else 0.0
        if beyond < 0 and state.out[side, j] >= rules.out_ticks:
            beyond = j
    if beyond >= 0:
        end = sign * rules.ends[side, beyond]
        tell(beyond, end - sign * state.room[side, beyond], end, state)
        return DRIVEN_BEYOND
    return NONE


@exact_kernel
def judge_limp(tau: Vector, kd: Vector, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Finds legs that carry nothing: all leg joints but at most one have no torque and no damping."""
    if rules.legs == 0:
        return NONE
    limp = 0
    for j in range(len(tau)):
        if rules.leg[j] and abs(tau[j]) < rules.limp[j] and kd[j] < rules.undamped[j]:
            limp += 1
    state.counts[LIMP_COUNT] = state.counts[LIMP_COUNT] + 1.0 if limp >= rules.legs - 1 else 0.0
    return LIMP_LEGS if state.counts[LIMP_COUNT] >= rules.limp_ticks else NONE


@exact_kernel
def judge_lag(tau: Vector, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Counts joints whose demanded torque is far from the one that follows it at the allowed rate."""
    for j in range(len(tau)):
        way = np.maximum(np.minimum(tau[j] - state.shadow[j], rules.step[j]), -rules.step[j])
        state.shadow[j] += way
    far = count_far(tau, state.shadow, LAG_COUNT, rules, state)
    return CANNOT_FOLLOW if far > rules.lags else NONE


@exact_kernel
def judge_braking(tau: Vector, rules: EnvelopeRules, state: EnvelopeState) -> int:
    """Counts joints whose torque would have to change faster to brake in time, towards a bound."""
    far = count_far(tau, state.last, BRAKE_COUNT, rules, state)
    return CANNOT_BRAKE if far > rules.brakes else NONE


@exact_kernel
def count_far(tau: Vector, other: Vector, count: int, rules: EnvelopeRules, state: EnvelopeState) -> float:
    """Adds to a count the joints whose torque is far from another, or takes 1 from it; returns the count."""
    joints = 0
    for j in range(len(tau)):
        distance = abs(tau[j] - other[j])
        if distance > rules.lag[j]:
            if joints == 0:
                tell(j, distance / rules.torque[j], rules.step[j] / rules.torque[j], state)
            joints += 1
    total = state.counts[count] + joints if joints else max(0.0, state.counts[count] - 1.0)
    state.counts[count] = total
    return float(total)
