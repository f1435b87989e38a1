"""Detection of implausible samples: joint positions that jump, and sensor channels that are frozen.

Values that are not finite are refused elsewhere. Here a sample is compared with the ones before it. An
encoder at rest can legitimately repeat its value: with quantisation it does so for seconds. A channel
therefore counts as frozen only if there is a contradiction: its noise, which changed sign often before, has
stopped, or the change of a joint's position differs from the integral of its velocity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.joint_observer import ROW_Q, gyro_at, velocities_at
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

GOOD, JUMP, FROZEN = range(3)
"""What a sample is."""

FROZEN_SAMPLES = 45
"""A channel that was noisy and has not changed for so many samples is frozen."""
_MARGIN_RAD = 0.02
"""What an encoder may be off from one sample to the next, beyond what the joint can move."""
_SPEED_OF_LIMIT = 1.5
_MARGIN_RAD_S = 1.0
_LONGEST_S, _SHORTEST_S = 0.03, 0.001
_LEARNING = 1.0 / 64.0
_NOISY = 0.4
"""White noise turns around in two of three samples; a channel that does in this part of them is noisy."""
_CONTRADICTION_RAD = 0.01
_WINDOW_SAMPLES = 100
"""Position and velocity are compared over so many samples: a small bias of the velocity is no fault."""
_FEWEST_SAMPLES = 5


NO_CHANNEL = -1


class Channels(NamedTuple):
    """What is remembered of each channel: na positions, na velocities, gyroscope (3), accelerometer (3)."""

    fastest: Vector
    """(na,) largest believable joint speed [rad/s]."""
    last: Vector
    """(2 na + 6,) last good values."""
    step: Vector
    """(2 na + 6,) their last change that was not zero."""
    turning: Vector
    """(2 na + 6,) share of samples in which their change changed its sign."""
    same: NDArray[np.int64]
    """(2 na + 6,) for how many samples each has not changed."""
    apart: Vector
    """(na,) way by the velocity less way by the position, while one of the two repeats itself [rad]."""
    culprit: NDArray[np.int64]
    """(1,) channel of the last bad verdict, or NO_CHANNEL."""
    first: NDArray[np.int64]
    """(1,) 1 until a sample has been taken."""


class SensorWatch:
    """Checks each sample against the ones before it; allocates nothing.

    Args:
        robot: model with the joints and their velocity limits.
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
            same=np.zeros(channels, np.int64),
            apart=np.zeros(na),
            culprit=np.full(1, NO_CHANNEL, np.int64),
            first=np.ones(1, np.int64),
        )
        self._judge = bind(
            "sensor_watch",
            [judge_sample],
            call={"row": "f8[::1]", "elapsed_s": "f8"},
            structs={"channels": self.channels},
            returns="i8",
        )

    def reset(self) -> None:
        """Takes the next sample as it is, and learns anew how noisy the channels are."""
        channels = self.channels
        channels.step[:] = 0.0
        channels.turning[:] = 0.0
        channels.same[:] = 0
        channels.apart[:] = 0.0
        channels.culprit[0] = NO_CHANNEL
        channels.first[0] = 1

    def judge(self, sensors: SensorRow, elapsed_s: float) -> int:
        """What this sample is; hot path.

        Args:
            sensors: a finite sample.
            elapsed_s: time since the last one that was good [s].

        Returns:
            GOOD; JUMP, to be left out; or FROZEN, where a sensor has stopped to measure. `culprit` names it.
        """
        verdict: int = self._judge(sensors.data, elapsed_s)
        return verdict

    @property
    def culprit(self) -> str:
        """Which sensor the last bad verdict was about."""
        index, na = int(self.channels.culprit[0]), self._robot.na
        if index == NO_CHANNEL:
            return "none"
        if index < 2 * na:
            what = "encoder" if index < na else "velocity"
            return f"the {what} of {self._robot.joint_names[index % na]}"
        return "the gyroscope" if index < 2 * na + 3 else "the accelerometer"


@struct_kernel
def judge_sample(row: Vector, elapsed_s: float, channels: Channels) -> int:
    """Compiled `SensorWatch.judge`.

    Args:
        row: data of the sensor row.
        elapsed_s: time since the last good sample [s].
        channels: written, but for all but the culprit where the sample is left out.
    """
    # A clock that jumps is no time in which a joint moves.
    elapsed = min(max(elapsed_s, _SHORTEST_S), _LONGEST_S)
    if channels.first[0] == 0 and jumps(row, elapsed, channels):
        return JUMP
    frozen = take_values(row, elapsed, channels)
    contradicts = compare_ways(channels)
    channels.first[0] = 0
    return FROZEN if frozen or contradicts else GOOD


@struct_kernel
def jumps(row: Vector, elapsed: float, channels: Channels) -> bool:
    """Whether a joint has moved further, or moves faster, than it can; the culprit is written."""
    na = len(channels.fastest)
    for j in range(na):
        q, v, fastest = row[ROW_Q + j], row[velocities_at(na) + j], channels.fastest[j]
        if abs(q - channels.last[j]) > fastest * elapsed + _MARGIN_RAD:
            channels.culprit[0] = j
            return True
        if abs(v) > fastest + _MARGIN_RAD_S:
            channels.culprit[0] = na + j
            return True
    return False


@struct_kernel
def take_values(row: Vector, elapsed: float, channels: Channels) -> bool:
    """Remembers a sample; returns whether a channel that was noisy has stopped to change.

    Args:
        row: data of the sensor row.
        elapsed: time since the last good sample [s].
        channels: written.
    """
    na, last, step, turning = len(channels.fastest), channels.last, channels.step, channels.turning
    same, first, frozen = channels.same, channels.first[0] == 1, False
    for c in range(len(last)):
        # Torques lie between the joints' values and the IMU's, and are not watched.
        value = row[ROW_Q + c] if c < 2 * na else row[gyro_at(na) - 2 * na + c]
        change = value - last[c]
        if first:
            change = 0.0
        elif value == last[c]:
            same[c] += 1
            if same[c] >= FROZEN_SAMPLES and turning[c] > _NOISY:
                channels.culprit[0] = c
                frozen = True
        else:
            same[c] = 0
            turned = 1.0 if change * step[c] < 0.0 else 0.0
            turning[c] += _LEARNING * (turned - turning[c])
            step[c] = change
        if c < na:
            # Velocities come after all positions: the way is summed up here, from last sample's.
            channels.apart[c] += last[na + c] * elapsed - change
        last[c] = value
    return frozen


@struct_kernel
def compare_ways(channels: Channels) -> bool:
    """Whether a joint's position and its velocity tell of different ways while one of them repeats itself."""
    na, same, apart, contradicts = len(channels.fastest), channels.same, channels.apart, False
    for j in range(na):
        longest = same[j]
        # A velocity that has never changed is one that the driver does not tell.
        if same[na + j] > longest and channels.step[na + j] != 0.0:
            longest = same[na + j]
        if longest % _WINDOW_SAMPLES == 0:
            apart[j] = 0.0
        elif longest >= _FEWEST_SAMPLES and abs(apart[j]) > _CONTRADICTION_RAD:
            channels.culprit[0] = j if same[j] >= same[na + j] else na + j
            contradicts = True
    return contradicts
