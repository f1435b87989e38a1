"""Integral action that removes a constant tilt of base and trunk, which unknown loads and moments cause."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.problem.tables import FRAME, REF
from kilohertz.controller.tasks.frame_orientation import R_WF, WDOT_WF
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import ANGULAR, Floats, Ints, Kin, X, Y, Z

_LARGEST_RAD_S2 = 10.0
"""Largest angular acceleration that the integral may add [rad/s^2]."""
_QUIET_RAD_S = 1.0
"""The integral is held while the link rotates faster than this [rad/s]: a push is not a constant
disturbance."""


class Tilt(NamedTuple):
    """Links that are held upright, and the integral of each link's tilt."""

    frame: Ints
    """(n,) index of each link's frame in `Kin`."""
    start: Ints
    """(n,) start index in `references` of each link's orientation task."""
    references: Floats
    """References of all tasks, concatenated."""
    ki_per_s3: Floats
    """(n,) integral gain [1/s^3]."""
    integral: Floats
    """(n, 2) integral: angular acceleration about the world's x and y axes [rad/s^2]."""


class TiltIntegral:
    """Integral action of the tasks that hold base and trunk upright.

    Args:
        body: whole-body controller. In the references of its tasks "base" and "trunk", the angular
            acceleration about the horizontal axes is written.
        gains: gains of the robot.
    """

    def __init__(self, body: WholeBody, gains: Gains) -> None:
        kin, tasks, index = body.arrays.kin, body.arrays.tasks, body.task_index
        held = [
            (index[name], gain)
            for name, gain in (("base", gains.base), ("trunk", gains.trunk))
            if name in index
        ]
        self._integral = np.zeros((len(held), 2))
        self._ki = np.array([gain.ki_per_s3 for _, gain in held])
        tilt = Tilt(
            frame=np.array([tasks.table[i, FRAME] for i, _ in held], np.int64),
            start=np.array([tasks.table[i, REF] for i, _ in held], np.int64),
            references=tasks.ref,
            ki_per_s3=self._ki,
            integral=self._integral,
        )
        self.advance = bind(
            "tilt_kernel", [integrate_tilt], call={"dt_s": "f8"}, structs={"k": kin, "tilt": tilt}
        )

    def retune(self, gains: Gains) -> None:
        """Applies new gains; the integral keeps its value."""
        self._ki[:] = (gains.base.ki_per_s3, gains.trunk.ki_per_s3)[: len(self._ki)]

    def reset(self) -> None:
        """Resets the integral to zero."""
        self._integral[:] = 0.0
        self.advance(0.0)


@kernel
def integrate_tilt(dt_s: float, k: Kin, tilt: Tilt) -> None:
    """Integrates the tilt error of each link about the world's x and y axes.

    The error is the cross product of the link's z axis with that of its reference.
    """
    refs, integral = tilt.references, tilt.integral
    for i in range(len(tilt.frame)):
        f, R_des = tilt.frame[i], tilt.start[i] + R_WF
        x, y, z = k.R[f, X, Z], k.R[f, Y, Z], k.R[f, Z, Z]
        u, v, w = refs[R_des + Z], refs[R_des + 3 + Z], refs[R_des + 6 + Z]
        quiet = abs(k.vel[f, ANGULAR + X]) <= _QUIET_RAD_S and abs(k.vel[f, ANGULAR + Y]) <= _QUIET_RAD_S
        step = dt_s * tilt.ki_per_s3[i] if quiet else 0.0
        integral[i, X] = min(max(integral[i, X] + step * (y * w - z * v), -_LARGEST_RAD_S2), _LARGEST_RAD_S2)
        integral[i, Y] = min(max(integral[i, Y] + step * (z * u - x * w), -_LARGEST_RAD_S2), _LARGEST_RAD_S2)
        wdot_des = tilt.start[i] + WDOT_WF
        refs[wdot_des + X], refs[wdot_des + Y] = integral[i, X], integral[i, Y]
