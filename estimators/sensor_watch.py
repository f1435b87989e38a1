"""Detection of implausible samples: joint positions that jump, and sensor channels that are frozen.

Values that are not finite are refused elsewhere. Here a sample is compared with the ones before it. An
encoder at rest can legitimately repeat its value: with quantisation it does so for seconds. A channel
therefore counts as frozen only if there is a contradiction: its noise, which changed sign often before, has
stopped, or the change of a joint's position differs from the integral of its velocity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

GOOD, JUMP, FROZEN = range(3)
"""What a sample is."""

FROZEN_SAMPLES = 45
"""A channel that was noisy and has not changed for so many samples is frozen."""
_ROW_Q = 2
_MARGIN_RAD = 0.02
"""What an encoder may be off from one sample to the next, beyond what the joint can move."""
_SPEED_OF_LIMIT = 1.5
_LONGEST_S, _SHORTEST_S = 0.03, 0.001
_LEARNING = 1.0 / 64.0
_NOISY = 0.4
"""White noise turns around in two of three samples; a channel that does in this part of them is noisy."""
_CONTRADICTION_RAD = 0.01
_WINDOW_SAMPLES = 100
"""Position and velocity are compared over so many samples: a small bias of the velocity is no fault."""
_FEWEST_SAMPLES = 5


class SensorWatch:
    """Checks each sample against the ones before it; allocates nothing.

    Args:
        robot: model with the joints and their velocity limits.
    """

    def __init__(self, robot: RobotModel) -> None:
        na = robot.na
        self._robot = robot
        self._channels = 2 * na + 6
        self._last = np.zeros(self._channels)
        self._step = np.zeros(self._channels)
        self._turning = np.zeros(self._channels)
        self._same = np.zeros(self._channels, np.int64)
        self._apart = np.zeros(na)
        self._culprit = np.full(1, -1, np.int64)
        self._first = np.ones(1, np.int64)
        self._judge = bind(
            "sensor_watch",
            [judge_sample],
            call={"row": "f8[::1]", "elapsed_s": "f8"},
            persistent={
                "fastest": _SPEED_OF_LIMIT * robot.velocity_limit_rad_s,
                "last": self._last,
                "step": self._step,
                "turning": self._turning,
                "same": self._same,
                "apart": self._apart,
                "culprit": self._culprit,
                "first": self._first,
            },
            returns="i8",
        )

    def reset(self) -> None:
        """Takes the next sample as it is, and learns anew how noisy the channels are."""
        self._step[:] = 0.0
        self._turning[:] = 0.0
        self._same[:] = 0
        self._apart[:] = 0.0
        self._culprit[0] = -1
        self._first[0] = 1

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
        index, na = int(self._culprit[0]), self._robot.na
        if index < 0:
            return "none"
        if index < 2 * na:
            what = "encoder" if index < na else "velocity"
            return f"the {what} of {self._robot.joint_names[index % na]}"
        return "the gyroscope" if index < 2 * na + 3 else "the accelerometer"


@kernel
def judge_sample(
    row: Vector,
    elapsed_s: float,
    fastest: Vector,
    last: Vector,
    step: Vector,
    turning: Vector,
    same: NDArray[np.int64],
    apart: Vector,
    culprit: NDArray[np.int64],
    first: NDArray[np.int64],
) -> int:
    """Compiled `SensorWatch.judge`.

    Args:
        row: data of the sensor row.
        elapsed_s: time since the last good sample [s].
        fastest: (na,) largest believable joint speed [rad/s].
        last: (2 na + 6,) last good values: positions, velocities, gyroscope, accelerometer; written.
        step: their last change, written.
        turning: share of samples in which their change changed its sign, written.
        same: for how many samples each has not changed, written.
        apart: (na,) way by the velocity less way by the position, while one of the two repeats itself [rad];
            written.
        culprit: (1,) channel of a bad verdict, written.
        first: (1,) 1 until a sample has been taken, written.
    """
    na, n = len(fastest), len(last)
    # A clock that jumps is no time in which a joint moves.
    elapsed = min(max(elapsed_s, _SHORTEST_S), _LONGEST_S)
    if first[0] == 0:
        for j in range(na):
            q, v = row[_ROW_Q + j], row[_ROW_Q + na + j]
            if abs(q - last[j]) > fastest[j] * elapsed + _MARGIN_RAD:
                culprit[0] = j
                return JUMP
            if abs(v) > fastest[j] + 1.0:
                culprit[0] = na + j
                return JUMP
    verdict = GOOD
    for c in range(n):
        value = row[_ROW_Q + c] if c < 2 * na else row[_ROW_Q + na + c]
        change = value - last[c]
        if first[0] == 1:
            change = 0.0
        elif value == last[c]:
            same[c] += 1
            if same[c] >= FROZEN_SAMPLES and turning[c] > _NOISY:
                culprit[0] = c
                verdict = FROZEN
        else:
            same[c] = 0
            turned = 1.0 if change * step[c] < 0.0 else 0.0
            turning[c] += _LEARNING * (turned - turning[c])
            step[c] = change
        if c < na:
            # Velocities come after all positions: the way is summed up here, from last sample's.
            apart[c] += last[na + c] * elapsed - change
        last[c] = value
    for j in range(na):
        longest = same[j]
        # A velocity that has never changed is one that the driver does not tell.
        if same[na + j] > longest and step[na + j] != 0.0:
            longest = same[na + j]
        if longest % _WINDOW_SAMPLES == 0:
            apart[j] = 0.0
        elif longest >= _FEWEST_SAMPLES and abs(apart[j]) > _CONTRADICTION_RAD:
            culprit[0] = j if same[j] >= same[na + j] else na + j
            verdict = FROZEN
    first[0] = 0
    return verdict
