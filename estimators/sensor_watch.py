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
"""Verdicts about a sample: plausible, a joint value that jumps, or a frozen channel."""

FROZEN_SAMPLES = 45
"""Number of equal samples in a row after which a channel that was noisy counts as frozen."""
_MARGIN_RAD = 0.02
"""Largest change of an encoder between two samples in addition to the possible motion of the joint [rad]."""
_SPEED_OF_LIMIT = 1.5
"""Largest plausible joint speed, as a multiple of the joint's velocity limit."""
_MARGIN_RAD_S = 1.0
"""Margin on the largest plausible measured joint speed [rad/s]."""
_LONGEST_S, _SHORTEST_S = 0.03, 0.001
"""Bounds of the time between two samples in which a joint can move [s]."""
_LEARNING = 1.0 / 64.0
"""Weight of a new sample in the average `Channels.turning`."""
_NOISY = 0.4
"""The change of white noise reverses its sign in two of three samples; a channel in which more than this
fraction of the changes does counts as noisy."""
_CONTRADICTION_RAD = 0.01
"""Difference between the position change and the integral of the velocity that counts as a fault [rad]."""
_WINDOW_SAMPLES = 100
"""Number of samples over which position and velocity are compared; it is limited because a small bias of the
velocity is not a fault."""
_FEWEST_SAMPLES = 5
"""Number of equal samples in a row from which position and velocity are compared."""


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
    same: NDArray[np.int64]
    """(2 na + 6,) number of samples since each channel changed."""
    apart: Vector
    """(na,) integral of the velocity minus change of the position, while one of them stays constant [rad]."""
    culprit: NDArray[np.int64]
    """(1,) channel of the last bad verdict, or NO_CHANNEL."""
    first: NDArray[np.int64]
    """(1,) 1 until the first sample was accepted."""


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
        """Resets the memory: the next sample is accepted as it is, and the noise is estimated anew."""
        channels = self.channels
        channels.step[:] = 0.0
        channels.turning[:] = 0.0
        channels.same[:] = 0
        channels.apart[:] = 0.0
        channels.culprit[0] = NO_CHANNEL
        channels.first[0] = 1

    def judge(self, sensors: SensorRow, elapsed_s: float) -> int:
        """Checks one sample. Hot path.

        Args:
            sensors: sensor row with finite values.
            elapsed_s: time since the last good sample [s].

        Returns:
            GOOD; JUMP if the sample must not be used; FROZEN if a sensor has stopped measuring. `culprit` is
            the name of the sensor.
        """
        verdict: int = self._judge(sensors.data, elapsed_s)
        return verdict

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
    """Checks one sample; the compiled part of `SensorWatch.judge`.

    Args:
        row: data of the sensor row.
        elapsed_s: time since the last good sample [s].
        channels: written; after a JUMP only the culprit is written.

    Returns:
        GOOD, JUMP or FROZEN.
    """
    # The time is limited because a jump of the clock is not a time in which a joint moves.
    elapsed = min(max(elapsed_s, _SHORTEST_S), _LONGEST_S)
    if channels.first[0] == 0 and jumps(row, elapsed, channels):
        return JUMP
    frozen = take_values(row, elapsed, channels)
    contradicts = compare_ways(channels)
    channels.first[0] = 0
    return FROZEN if frozen or contradicts else GOOD


@struct_kernel
def jumps(row: Vector, elapsed: float, channels: Channels) -> bool:
    """Returns whether a joint has moved further, or moves faster, than possible; the culprit is written."""
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
    """Updates the memory with a sample, and checks for frozen channels.

    Args:
        row: data of the sensor row.
        elapsed: time since the last good sample [s].
        channels: written.

    Returns:
        Whether a channel that was noisy has stopped changing.
    """
    na, last, step, turning = len(channels.fastest), channels.last, channels.step, channels.turning
    same, first, frozen = channels.same, channels.first[0] == 1, False
    for c in range(len(last)):
        # In the sensor row, the torques are between velocities and gyro; they are not checked.
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
            # The positions are processed before the velocities, so `last` still has the previous velocity.
            channels.apart[c] += last[na + c] * elapsed - change
        last[c] = value
    return frozen


@struct_kernel
def compare_ways(channels: Channels) -> bool:
    """Returns whether position and velocity of a joint contradict each other while one stays constant."""
    na, same, apart, contradicts = len(channels.fastest), channels.same, channels.apart, False
    for j in range(na):
        longest = same[j]
        # A velocity that has never changed counts as not measured by the driver.
        if same[na + j] > longest and channels.step[na + j] != 0.0:
            longest = same[na + j]
        if longest % _WINDOW_SAMPLES == 0:
            apart[j] = 0.0
        elif longest >= _FEWEST_SAMPLES and abs(apart[j]) > _CONTRADICTION_RAD:
            channels.culprit[0] = j if same[j] >= same[na + j] else na + j
            contradicts = True
    return contradicts
