"""Detection of unusable samples: values that are not finite, positions that jump, and frozen channels.

Apart from values that are not finite, a sample is compared with the ones before it. An encoder at rest can
legitimately repeat its value, with coarse steps for seconds, and a bus can deliver each value several times.
Time therefore counts only in rows in which some other sensor has measured anew, and a channel counts as
frozen only if there is a contradiction: its noise, which changed sign often and was not that of a coarse
step, has stopped for much longer than it ever paused; or the change of a joint's position differs from the
integral of its velocity by more than it usually does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.finite_sample import is_finite_sample
from kilohertz.estimators.joint_observer import ROW_Q, gyro_at, velocities_at
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

GOOD, JUMP, FROZEN, NOT_FINITE = range(4)
"""Verdicts about a sample: plausible, a joint value that jumps, a frozen channel, or a value that is not
finite."""

FROZEN_S = 0.045
"""Shortest time without a change after which a channel that was noisy counts as frozen [s]."""
_PAUSES = 3.0
"""The same time as a multiple of the longest recent pause of the channel."""
_FEWEST_SAMPLES = 2
"""Number of new samples without a change from which a channel can count as frozen."""
_MARGIN_RAD = 0.02
"""Largest change of an encoder between two samples in addition to the possible motion of the joint [rad];
also the largest difference between such a change and the measured velocity of a joint that is hit."""
_SPEED_OF_LIMIT = 1.5
"""Largest plausible joint speed, as a multiple of the joint's velocity limit."""
_MARGIN_RAD_S = 1.0
"""Margin on the largest plausible measured joint speed [rad/s]."""
_LONGEST_S, _SHORTEST_S = 0.03, 0.001
"""Bounds of the time between two samples in which a joint can move [s]."""
_LEARNING = 1.0 / 64.0
"""Weight of a new sample in the averages `Channels.turning` and `Channels.coarse`."""
_NOISY = 0.4
"""The change of white noise reverses its sign in two of three samples; a channel in which more than this
fraction of the changes does counts as noisy."""
_COARSE = 0.1
"""Fraction of the changes that equal the last one in size, above which a channel has coarse steps: its noise
stops between two steps."""
_EQUAL = 1e-6
"""Relative difference up to which two changes count as equal in size."""
_LEAST_CONTRADICTION_RAD = 0.006
"""Least difference between position change and integral of the velocity that counts as a fault [rad]."""
_LEAST_MISSED_RAD, _LEAST_DELAY_RAD = 0.001, 0.0018
"""The same for a position that rests while its velocity changes, in addition to the largest recent one, and
least value of that [rad]; the step of interpolated encoders is not known."""
_SOON_S = 0.1
"""Time from which this position counts like one whose velocity rests too [s]: a small bias of the velocity
is no fault, and neither is a message that a drive has lost."""
_LATE_S = 0.004
"""Time by which positions may be late [s]."""
_LAG_S, _LAG_LEFT_S, _LARGEST_LAG_RAD = 0.03, 0.01, 0.0037
"""Time by which a velocity may lag behind [s]; the same if only the speed that is left counts, and the
largest motion that is then shown wrongly [rad]."""
_RECENTLY_S = 0.15
"""Time constant with which the largest and the smallest velocity of a joint are forgotten [s]."""
_USUAL = 1.3
"""Largest multiple of the usual time between new joint values that counts as time in which an encoder should
have moved: time stamps jitter."""
_STRAIGHT_S = 0.015
"""Longest interval between two measurements of which interpolated values count as measured [s]."""
_SLACKS = 2.0
"""The same difference in addition if the velocity rests, as a multiple of the largest one that was seen
recently, and of the encoder's finest step."""
_NEAR = 0.7
"""Fraction of the difference that counts as a fault, from which another joint counts as late too."""
_LAG_RAD = 0.003
"""The same difference in addition if the velocity rests: it may lag behind a sudden motion."""
_LATE_BUS_S = 0.2
"""Time for which several joints, or a slow velocity, may seem to stop, if a bus or a recorder pauses [s]."""
_SLOW_RAD_S = 0.25
"""Speed below which a joint counts as slow [rad/s]."""
_FINE_RAD = 1e-4
"""Smallest step of an encoder from which the noise of the joint's velocity may stop [rad]."""
_COARSEST_RAD = 0.002
"""Largest step of an encoder that is allowed for [rad]."""
_FIRST_SLACK_RAD, _LARGEST_SLACK_RAD = 0.0035, 0.02
"""First and largest value of `Channels.slack` [rad]."""
_FORGETTING_S = 10.0
"""Time constant with which pauses and differences are forgotten [s]."""
_WINDOW_S = 0.3
"""Time constant with which the integral of the velocity is forgotten [s]; a small bias of it is no fault."""

NO_CHANNEL = -1
"""Value of `Channels.culprit` while no channel had a bad verdict."""


class Channels(NamedTuple):
    """Memory of each channel, in the order: na positions, na velocities, gyro (3), accelerometer (3)."""

    fastest: Vector
    """(na,) largest plausible joint speed [rad/s]."""
    last: Vector
    """(2 na + 6,) last good value of each channel."""
    step: Vector
    """(2 na + 6,) last change of each channel that was not zero."""
    turning: Vector
    """(2 na + 6,) fraction of the changes of each channel that reversed the sign, low-passed."""
    coarse: Vector
    """(2 na + 6,) fraction of the changes of each channel that equal the one before in size, low-passed."""
    same: NDArray[np.int64]
    """(2 na + 6,) number of new samples since each channel changed."""
    held_s: Vector
    """(2 na + 6,) time since each channel changed, without rows that repeat the one before [s]."""
    pause_s: Vector
    """(2 na + 6,) longest recent time between two changes of each channel [s]."""
    finest: Vector
    """(2 na + 6,) smallest change of each channel that was not zero; infinity before the first."""
    apart: Vector
    """(na,) integral of the velocity minus change of the position, while one of them stays constant [rad]."""
    worst: Vector
    """(na,) largest size of `apart` since both last changed [rad]."""
    slack: Vector
    """(na,) largest recent size of `apart` at which both changed again [rad]."""
    resting_s: Vector
    """(na,) time since each position changed, without pauses of a recorder [s]."""
    missed: Vector
    """(na,) integral of the velocity over `resting_s` [rad]."""
    swift: Vector
    """(na,) largest measured speed since each position changed [rad/s]."""
    highest: Vector
    """(na,) largest recent velocity of each joint, with exponential forgetting [rad/s]."""
    lowest: Vector
    """(na,) smallest recent velocity of each joint, with exponential forgetting [rad/s]."""
    usual_s: Vector
    """(1,) usual time between two rows with new joint values, low-passed [s]."""
    slope: Vector
    """(3,) last changes of the gyro's values [rad/s]."""
    straight_s: Vector
    """(1,) time for which the gyro has changed by equal amounts, as interpolated values do in a pause [s]."""
    late: Vector
    """(na,) largest motion that a position seemed to miss since it last changed [rad], see
    `missed_motion`."""
    delay: Vector
    """(na,) largest recent value of `late` at which the position changed again [rad]."""
    waiting_s: Vector
    """(2,) time since a row that was not a repetition, and since one with new joint values [s]."""
    culprit: NDArray[np.int64]
    """(1,) channel of the last bad verdict, or NO_CHANNEL."""
    first: NDArray[np.int64]
    """(1,) 1 until the first sample was accepted."""


class SensorWatch:
    """Checks each sample, also against the ones before it; allocates nothing.

    Args:
        robot: model with the joints and their velocity limits.

    Attributes:
        channels: memory of each channel.
        judge: function that checks one sample, see `judge_sample`, given the data of its row and the time
            since the last good sample [s]. `culprit` is then the name of the sensor that jumps or is frozen.
    """

    def __init__(self, robot: RobotModel) -> None:
        na = robot.na
        channels = 2 * na + 6
        self._robot = robot
        self.channels = Channels(
            fastest=_SPEED_OF_LIMIT * robot.velocity_limit_rad_s,
            last=np.zeros(channels),
            step=np.zeros(channels),
            turning=np.zeros(channels),
            coarse=np.zeros(channels),
            same=np.zeros(channels, np.int64),
            held_s=np.zeros(channels),
            pause_s=np.zeros(channels),
            finest=np.full(channels, np.inf),
            apart=np.zeros(na),
            worst=np.zeros(na),
            slack=np.full(na, _FIRST_SLACK_RAD),
            resting_s=np.zeros(na),
            missed=np.zeros(na),
            swift=np.zeros(na),
            highest=np.zeros(na),
            lowest=np.zeros(na),
            usual_s=np.zeros(1),
            slope=np.zeros(3),
            straight_s=np.zeros(1),
            late=np.zeros(na),
            delay=np.full(na, _FIRST_SLACK_RAD),
            waiting_s=np.zeros(2),
            culprit=np.full(1, NO_CHANNEL, np.int64),
            first=np.ones(1, np.int64),
        )
        self.judge: Callable[[Vector, float], int] = bind(
            "sensor_watch",
            [judge_sample],
            call={"row": "f8[::1]", "elapsed_s": "f8"},
            structs={"channels": self.channels},
            returns="i8",
        )

    def reset(self) -> None:
        """Resets the memory: the next sample is accepted as it is, and the noise is estimated anew."""
        channels = self.channels
        for array in channels[channels._fields.index("step") : channels._fields.index("culprit")]:
            array[:] = 0
        channels.slack[:] = channels.delay[:] = _FIRST_SLACK_RAD
        channels.finest[:] = np.inf
        channels.culprit[0] = NO_CHANNEL
        channels.first[0] = 1

    @property
    def culprit(self) -> str:
        """Name of the sensor that caused the last bad verdict."""
        index, na = int(self.channels.culprit[0]), self._robot.na
        if index == NO_CHANNEL:
            return "none"
        if index < 2 * na:
            what = "encoder" if index < na else "velocity"
            return f"the {what} of {self._robot.joint_names[index % na]}"
        return "the gyroscope" if index < 2 * na + 3 else "the accelerometer"


@struct_kernel
def judge_sample(row: Vector, elapsed_s: float, channels: Channels) -> int:
    """Checks one sample.

    Args:
        row: data of the sensor row.
        elapsed_s: time since the last good sample [s].
        channels: written; after a JUMP only the culprit is written, after NOT_FINITE nothing.

    Returns:
        GOOD; JUMP or NOT_FINITE if the sample must not be used; FROZEN if a sensor has stopped measuring.
    """
    if not is_finite_sample(row, len(channels.fastest)):
        return NOT_FINITE
    joints_new, any_new = renewed(row, channels)
    waiting = channels.waiting_s
    # The time is limited because a jump of the clock is not a time in which a joint moves.
    joints_s = min(max(waiting[1] + elapsed_s, _SHORTEST_S), _LONGEST_S)
    if channels.first[0] == 0 and jumps(row, joints_s, channels):
        return JUMP
    if not any_new and channels.first[0] == 0:
        # The whole row repeats: a bus that is slower than the loop, or a gap, which the link detects.
        waiting[0] += elapsed_s
        waiting[1] += elapsed_s
        return GOOD
    elapsed = min(max(waiting[0] + elapsed_s, _SHORTEST_S), _LONGEST_S)
    paused_s = min(waiting[0] + elapsed_s, _LATE_BUS_S)
    straighten(row, elapsed, channels)
    if joints_new or channels.first[0] == 1:
        follow_positions(row, joints_s, channels)
    frozen = take_values(row, elapsed, paused_s, joints_s, joints_new, channels)
    contradicts = joints_new and compare_ways(joints_s, channels)
    waiting[0] = 0.0
    waiting[1] = 0.0 if joints_new else waiting[1] + elapsed_s
    channels.first[0] = 0
    return FROZEN if frozen or contradicts else GOOD


@struct_kernel
def straighten(row: Vector, elapsed: float, channels: Channels) -> None:
    """Updates how long the gyro has changed by equal amounts: such values are interpolated, not measured.

    Args:
        row: data of the sensor row, which is no repetition.
        elapsed: time since the last such row [s].
        channels: `slope` and `straight_s` are written.
    """
    na, straight, moves = len(channels.fastest), True, False
    for k in range(3):
        change = row[gyro_at(na) + k] - channels.last[2 * na + k]
        if abs(change - channels.slope[k]) > _EQUAL * abs(change):
            straight = False
        # A gyro that stays the same is that of a simulation without noise, or frozen, and not interpolated.
        moves = moves or change != 0.0
        channels.slope[k] = change
    channels.straight_s[0] = channels.straight_s[0] + elapsed if straight and moves else 0.0


@struct_kernel
def channel_value(row: Vector, c: int, na: int) -> float:
    """Returns the value of channel c; in the row, the torques are between velocities and gyro."""
    value: float = row[ROW_Q + c] if c < 2 * na else row[gyro_at(na) - 2 * na + c]
    return value


@struct_kernel
def renewed(row: Vector, channels: Channels) -> tuple[bool, bool]:
    """Returns whether any joint value, and whether any channel at all, differs from the last good sample."""
    na, last = len(channels.fastest), channels.last
    for c in range(len(last)):
        if channel_value(row, c, na) != last[c]:
            return c < 2 * na, True
    return False, False


@struct_kernel
def jumps(row: Vector, elapsed: float, channels: Channels) -> bool:
    """Returns whether a joint has moved further, or moves faster, than possible; the culprit is written.

    A joint that is hit, or driven beyond its limit, does move faster: its position and its velocity agree.

    Args:
        row: data of the sensor row.
        elapsed: time since the last new joint values [s].
        channels: `culprit` is written.
    """
    na = len(channels.fastest)
    for j in range(na):
        q, v, fastest = row[ROW_Q + j], row[velocities_at(na) + j], channels.fastest[j]
        moved = q - channels.last[j]
        far, fast = abs(moved) > fastest * elapsed + _MARGIN_RAD, abs(v) > fastest + _MARGIN_RAD_S
        if (far or fast) and not abs(moved - v * elapsed) <= _MARGIN_RAD:
            channels.culprit[0] = j if far else na + j
            return True
    return False


@struct_kernel
def follow_positions(row: Vector, joints_s: float, channels: Channels) -> None:
    """Updates the motion that each position has missed since it last changed, according to the velocity.

    Args:
        row: data of the sensor row, with new joint values.
        joints_s: time since the last new joint values [s].
        channels: `resting_s`, `missed`, `swift`, `highest`, `lowest` and `usual_s` are written; `last` is of
            the sample before.
    """
    na, usual, straight_s = len(channels.fastest), channels.usual_s, channels.straight_s[0]
    if channels.first[0] == 0:
        usual[0] += (_LEARNING if usual[0] > 0.0 else 1.0) * (joints_s - usual[0])
    # Values that are interpolated over a pause, or follow one, have not rested for as long as it took.
    counted_s = min(joints_s, _USUAL * usual[0]) if straight_s <= _STRAIGHT_S else 0.0
    pause = straight_s > _LONGEST_S
    keep = math.exp(-counted_s / _WINDOW_S)
    recent = math.exp(-joints_s / _RECENTLY_S) if channels.first[0] == 0 else 0.0
    for j in range(na):
        v = row[velocities_at(na) + j]
        channels.highest[j] = max(v, v + recent * (channels.highest[j] - v))
        channels.lowest[j] = min(v, v + recent * (channels.lowest[j] - v))
        if pause or row[ROW_Q + j] != channels.last[j]:
            channels.resting_s[j] = channels.missed[j] = 0.0
            channels.swift[j] = abs(v)
        else:
            channels.resting_s[j] += counted_s
            channels.missed[j] = channels.missed[j] * keep + channels.last[na + j] * counted_s
            channels.swift[j] = max(channels.swift[j], abs(v))


@struct_kernel
def take_values(
    row: Vector, elapsed: float, paused_s: float, joints_s: float, joints_new: bool, channels: Channels
) -> bool:
    """Updates the memory with a sample, and checks for frozen channels.

    Args:
        row: data of the sensor row, which is no repetition.
        elapsed: time since the last such row, at most _LONGEST_S [s].
        paused_s: the same, at most _LATE_BUS_S; an encoder is at rest during a pause [s].
        joints_s: time since the last new joint values [s].
        joints_new: whether this row has new joint values.
        channels: written.

    Returns:
        Whether a channel that was noisy has stopped changing.
    """
    na, last, step, turning = len(channels.fastest), channels.last, channels.step, channels.turning
    same, held, pause, first, frozen = (
        channels.same,
        channels.held_s,
        channels.pause_s,
        channels.first[0] == 1,
        False,
    )
    keep = math.exp(-elapsed / _FORGETTING_S)
    for c in range(len(last)):
        value = channel_value(row, c, na)
        change = value - last[c]
        pause[c] *= keep
        if first:
            change = 0.0
        elif value == last[c]:
            same[c] += 1 if joints_new or c >= 2 * na else 0
            held[c] += paused_s if c < na else elapsed
            long = held[c] > max(FROZEN_S, _PAUSES * pause[c]) and same[c] >= _FEWEST_SAMPLES
            # A velocity that is computed from coarse positions rests with them.
            coarse = channels.coarse[c] >= _COARSE
            if c >= na and c < 2 * na:
                coarse = coarse or channels.finest[c - na] > _FINE_RAD
            if long and turning[c] > _NOISY and not coarse:
                channels.culprit[0] = c
                frozen = True
        else:
            pause[c] = max(pause[c], held[c])
            same[c] = 0
            held[c] = 0.0
            turned = 1.0 if change * step[c] < 0.0 else 0.0
            turning[c] += _LEARNING * (turned - turning[c])
            equal = 1.0 if abs(abs(change) - abs(step[c])) <= _EQUAL * abs(change) else 0.0
            channels.coarse[c] += _LEARNING * (equal - channels.coarse[c])
            step[c] = change
            channels.finest[c] = min(channels.finest[c], abs(change))
        if c < na and joints_new and not first and channels.straight_s[0] <= _LONGEST_S:
            # The positions are processed before the velocities, so `last` still has the previous velocity.
            channels.apart[c] += last[na + c] * joints_s - change
        last[c] = value
    return frozen


@struct_kernel
def missed_motion(j: int, step: float, channels: Channels) -> tuple[float, float]:
    """Returns the motion that the encoder of joint j seems to miss, and from which on it is frozen [rad].

    Args:
        j: the joint.
        step: step of its encoder [rad].
        channels: memory of the channels.
    """
    # The velocity of a joint that stops lags behind: it shows a motion that did not happen, at most its lag
    # times its change. If only the speed that is left counts, which has fallen, less is shown wrongly.
    na, rested_s = len(channels.fastest), channels.resting_s[j]
    whole = abs(channels.missed[j])
    left = min(whole, abs(channels.last[na + j]) * rested_s)
    change = channels.highest[j] - channels.lowest[j]
    missing = max(left - min(_LAG_LEFT_S * change, _LARGEST_LAG_RAD), whole - _LAG_S * change)
    soon = rested_s < _SOON_S and channels.same[na + j] < channels.same[j]
    least = _LEAST_MISSED_RAD if soon else _LEAST_CONTRADICTION_RAD
    return missing - _LATE_S * channels.swift[j], least + max(channels.delay[j], step, _LEAST_DELAY_RAD)


@struct_kernel
def compare_ways(elapsed: float, channels: Channels) -> bool:
    """Returns whether position and velocity of a joint contradict each other while one stays constant.

    Args:
        elapsed: time since the last new joint values [s].
        channels: `apart`, `worst`, `slack`, `late`, `delay` and the culprit are written.
    """
    na, same, apart = len(channels.fastest), channels.same, channels.apart
    culprit, near = NO_CHANNEL, 0
    keep, forget = math.exp(-elapsed / _WINDOW_S), math.exp(-elapsed / _FORGETTING_S)
    for j in range(na):
        longest = same[j]
        # A velocity that has never changed counts as not measured by the driver.
        if same[na + j] > longest and channels.step[na + j] != 0.0:
            longest = same[na + j]
        channels.slack[j] *= forget
        channels.delay[j] *= forget
        if longest == 0:
            channels.slack[j] = max(channels.slack[j], min(channels.worst[j], _LARGEST_SLACK_RAD))
            channels.worst[j] = 0.0
            apart[j] = 0.0
        else:
            apart[j] *= keep
            channels.worst[j] = max(channels.worst[j], abs(apart[j]))
        if same[j] == 0:
            channels.delay[j] = max(channels.delay[j], min(channels.late[j], _LARGEST_SLACK_RAD))
            channels.late[j] = 0.0
        if longest == 0:
            continue
        step = min(channels.finest[j], _COARSEST_RAD)
        if same[j] >= same[na + j]:
            missing, least = missed_motion(j, step, channels)
            channels.late[j] = max(channels.late[j], missing)
            near += 1 if missing > _NEAR * least else 0
            if same[j] >= _FEWEST_SAMPLES and missing > least:
                culprit = j
        else:
            least = _LEAST_CONTRADICTION_RAD + _SLACKS * (channels.slack[j] + step) + _LAG_RAD
            near += 1 if abs(apart[j]) > 0.5 * least else 0
            slow = abs(channels.last[na + j]) < _SLOW_RAD_S and channels.held_s[na + j] < _LATE_BUS_S
            if longest >= _FEWEST_SAMPLES and abs(apart[j]) > least and not slow:
                culprit = na + j
    # If several joints are late together, it may be their bus.
    if culprit == NO_CHANNEL or (near > 1 and channels.held_s[culprit] < _LATE_BUS_S):
        return False
    channels.culprit[0] = culprit
    return True
