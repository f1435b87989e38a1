"""Detection of collisions of an arm, from the torques that its model does not explain.

A collision changes the torque of the disturbance observer faster than errors of the model do: these vary with
the position, and with the accelerations. So the watch looks at the fast part of the observed torque of each
joint, and compares it with a threshold

    scale (least + model_error * sum_i |M_ji| |vdot_i|),

in which the accelerations have the lag of the observer. The scale is learnt: it is a margin times the largest
ratio of fast part and threshold that was seen lately. So it falls where model and sensors are good, and rises
where they are not.

Source: De Luca, Albu-Schaeffer, Haddadin, Hirzinger, "Collision detection and safe reaction with the DLR-III
lightweight manipulator arm", IROS 2006 (residual); Sotoudehnejad et al., "Velocity-based variable thresholds
for improving collision detection in manipulators", ICRA 2014 (thresholds that follow the motion).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints, Kin
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

LEAST, MODEL_ERROR = range(2)
"""Entries of `Watch.gains`: smallest threshold over the torque limit, and assumed error of the masses."""
JOINT, COUNT = range(2)
"""Entries of `Watch.found`: joint at which the threshold was exceeded most, and ticks in a row."""
NOWHERE = -1

_SLOW_S = 0.08
"""Time constant of the part of the torque that counts as slow [s]."""
_LAG_S = 0.015
"""Time for which a large acceleration keeps the threshold up [s]: the lag of the observer."""
_TICKS = 2
"""Number of ticks in a row above the threshold that are a collision."""
_MARGIN = 1.6
"""Threshold over the largest fast part that was seen lately."""
_FORGET_S = 60.0
"""Time constant with which the largest fast part is forgotten [s]."""
_LEAST_SCALE, _LARGEST_SCALE = 0.5, 3.0
_SETTLE_S = 0.5
"""Time after a start in which nothing is judged, because the observer has not converged [s]."""


class Watch(NamedTuple):
    """State of the watch of n joints."""

    gains: Floats
    """(2,) LEAST and MODEL_ERROR."""
    limit_Nm: Floats
    """(n,) torque limits [Nm]."""
    slow: Floats
    """(n,) slow part of the observed torque [Nm]."""
    swing: Floats
    """(n,) torque of the accelerations, sum_i |M_ji| |vdot_i|, held for the lag of the observer [Nm]."""
    scale: Floats
    """(n,) largest ratio of fast part and threshold that was seen lately."""
    ratio: Floats
    """(n,) fast part over the scaled threshold in this tick; above 1 it is exceeded."""
    age_s: Floats
    """(1,) time since the start [s]."""
    found: Ints
    """(2,) JOINT and COUNT."""


@kernel
def watch_collision(dt_s: float, k: Kin, vdot: Floats, unknown: Floats, watch: Watch) -> int:
    """Judges one tick, and returns the joint at which a collision is seen, or NOWHERE.

    Args:
        dt_s: time since the last tick [s].
        k: kinematics of the tick.
        vdot: (n,) commanded joint accelerations [rad/s^2].
        unknown: (n,) observed torque that the model does not explain [Nm].
        watch: state of the watch.
    """
    n = len(unknown)
    watch.age_s[0] += dt_s
    settled = watch.age_s[0] > _SETTLE_S
    slower = dt_s / _SLOW_S if settled else 1.0
    hold, keep = 1.0 - dt_s / _LAG_S, 1.0 - dt_s / _FORGET_S
    most, joint = 0.0, NOWHERE
    for j in range(n):
        fast = abs(unknown[j] - watch.slow[j])
        watch.slow[j] += slower * (unknown[j] - watch.slow[j])
        swing = 0.0
        for i in range(n):
            swing += abs(k.M[min(i, j), max(i, j)] * vdot[i])
        watch.swing[j] = max(swing, hold * watch.swing[j])
        plain = watch.gains[LEAST] * watch.limit_Nm[j] + watch.gains[MODEL_ERROR] * watch.swing[j]
        scale = min(max(_MARGIN * watch.scale[j], _LEAST_SCALE), _LARGEST_SCALE)
        watch.ratio[j] = fast / (scale * plain)
        if not settled:
            watch.ratio[j] = 0.0
        elif watch.ratio[j] < 1.0:
            watch.scale[j] = max(keep * watch.scale[j], fast / plain)
        if watch.ratio[j] > most:
            most, joint = watch.ratio[j], j
    if most > 1.0:
        watch.found[COUNT] += 1
        watch.found[JOINT] = joint
    else:
        watch.found[COUNT] = 0
    return joint if watch.found[COUNT] >= _TICKS else NOWHERE


class CollisionWatch:
    """Watches an arm for collisions.

    Args:
        robot: a robot with a fixed base.
        kin: kinematics of the tick.
        vdot: (n,) commanded joint accelerations of the last tick [rad/s^2]; persistent.
        unknown_Nm: (n,) observed torque that the model does not explain, with the friction that was learnt
            taken out [Nm]; persistent.
    """

    def __init__(self, robot: RobotModel, kin: Kin, vdot: Vector, unknown_Nm: Vector) -> None:
        n = robot.na
        self.watch = Watch(
            gains=np.zeros(2),
            limit_Nm=robot.torque_limit_Nm.copy(),
            slow=np.zeros(n),
            swing=np.zeros(n),
            scale=np.full(n, 1.0 / _MARGIN),
            ratio=np.zeros(n),
            age_s=np.zeros(1),
            found=np.zeros(2, np.int64),
        )
        self._judge = bind(
            "collision_watch",
            [watch_collision],
            call={"dt_s": "f8"},
            structs={"k": kin, "watch": self.watch},
            persistent={"vdot": vdot, "unknown": unknown_Nm},
            returns="i8",
        )

    def retune(self, least: float, model_error: float) -> None:
        """Sets the smallest threshold over the torque limit, and the assumed error of the masses."""
        self.watch.gains[:] = least, model_error

    def reset(self) -> None:
        """Starts anew, with the observer; what was learnt is kept."""
        self.watch.age_s[0], self.watch.found[COUNT] = 0.0, 0

    def judge(self, dt_s: float) -> int:
        """Returns the joint at which a collision is seen in this tick, or NOWHERE."""
        return int(self._judge(dt_s))
