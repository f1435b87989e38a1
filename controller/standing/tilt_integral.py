"""Takes out a lasting tilt of base and trunk: of what pulls on them a part is always unknown."""

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
"""What the integral may add at most."""
_QUIET_RAD_S = 1.0
"""Of a link that turns faster than this the integral waits: a push is nothing lasting."""


class Tilt(NamedTuple):
    """The links that are held upright, and what is integrated for each of them."""

    frame: Ints
    """(n,) frame in `Kin`."""
    start: Ints
    """(n,) where the reference of the link's orientation begins in `references`."""
    references: Floats
    """References of all tasks, one after the other."""
    ki_per_s3: Floats
    """(n,) gain."""
    integral: Floats
    """(n, 2) about the world's x and y axes [rad/s^2]."""


class TiltIntegral:
    """Integral part of the tasks that hold base and trunk upright.

    Args:
        body: the whole-body controller; of the references of "base" and "trunk" this writes the angular
            acceleration about the horizontal axes.
        gains: of the robot.
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
        """Takes the numbers of these gains; what has been integrated stays as it is."""
        self._ki[:] = (gains.base.ki_per_s3, gains.trunk.ki_per_s3)[: len(self._ki)]

    def reset(self) -> None:
        """Starts from nothing."""
        self._integral[:] = 0.0
        self.advance(0.0)


@kernel
def integrate_tilt(dt_s: float, k: Kin, tilt: Tilt) -> None:
    """Integrates what turns each link's z axis into that of its reference, about the world's x and y axes."""
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
