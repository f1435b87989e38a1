"""Takes out a lasting tilt of base and trunk: of what pulls on them a part is always unknown."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.problem.tables import FRAME, REF
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats, Ints

_LARGEST_RAD_S2 = 10.0
"""What the integral may add at most."""
_QUIET_RAD_S = 1.0
"""Of a link that turns faster than this the integral waits: a push is nothing lasting."""


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
        self.advance = bind(
            "tilt_kernel",
            [integrate_tilt],
            call={"dt_s": "f8"},
            persistent={
                "R": kin.R,
                "vel": kin.vel,
                "task_refs": tasks.ref,
                "frame": np.array([tasks.table[i, FRAME] for i, _ in held], np.int64),
                "start": np.array([tasks.table[i, REF] for i, _ in held], np.int64),
                "ki_per_s3": self._ki,
                "integral": self._integral,
            },
        )

    def retune(self, gains: Gains) -> None:
        """Takes the numbers of these gains; what has been integrated stays as it is."""
        self._ki[:] = (gains.base.ki_per_s3, gains.trunk.ki_per_s3)[: len(self._ki)]

    def reset(self) -> None:
        """Starts from nothing."""
        self._integral[:] = 0.0
        self.advance(0.0)


@kernel
def integrate_tilt(
    dt_s: float,
    R: Floats,
    vel: Floats,
    task_refs: Floats,
    frame: Ints,
    start: Ints,
    ki_per_s3: Floats,
    integral: Floats,
) -> None:
    """Integrates what turns each link's z axis into that of its reference, about the world's x and y axes."""
    for i in range(len(frame)):
        f, s = frame[i], start[i]
        x, y, z = R[f, 0, 2], R[f, 1, 2], R[f, 2, 2]
        u, v, w = task_refs[s + 2], task_refs[s + 5], task_refs[s + 8]
        quiet = abs(vel[f, 3]) <= _QUIET_RAD_S and abs(vel[f, 4]) <= _QUIET_RAD_S
        step = dt_s * ki_per_s3[i] if quiet else 0.0
        integral[i, 0] = min(max(integral[i, 0] + step * (y * w - z * v), -_LARGEST_RAD_S2), _LARGEST_RAD_S2)
        integral[i, 1] = min(max(integral[i, 1] + step * (z * u - x * w), -_LARGEST_RAD_S2), _LARGEST_RAD_S2)
        task_refs[s + 12], task_refs[s + 13] = integral[i, 0], integral[i, 1]
