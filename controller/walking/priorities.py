"""Task weights that differ between walking and standing: those on rotation about the vertical.

A leg that swings forward exerts a yaw moment on the robot. The stance sole alone cannot balance it: it is
narrow, and its friction is already used for other forces. Therefore the heading of the trunk yields, and the
arms swing against the legs. Both follow from the weights: low on the heading, high on the rate of the angular
momentum about the vertical, and low on the arms.

In a step that is shortened to catch the robot, base and trunk may lean. A foot that moves half a metre aside
in 0.2 s changes the angular momentum of its leg so fast that holding the trunk upright would take a ground
force 5 to 10 cm beside the planned one, and the DCM would run away by as much.
"""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import X, Y, Z

_LEANING = 0.3
"""Weight on roll and pitch of base and trunk in a catching step, relative to that of standing."""


class Priorities:
    """Switches between the task weights of walking and those of standing.

    Args:
        body: whole-body controller, with the weights of standing set.
        gains: gains of the robot.
        half_sole_m: half the usable length of a sole [m]; 0 for a point foot.
    """

    def __init__(self, body: WholeBody, gains: Gains, half_sole_m: float) -> None:
        robot = body.robot
        self._upright = [body.weight(name) for name in ("base", "trunk") if name in body.task_index]
        self._momentum = body.weight("angular_momentum")
        self._posture = body.reference("posture")[robot.na :]
        # A point foot transmits no moment, whatever the arms do. On point feet, a yaw moment comes only from
        # a contact force that passes beside the centre of mass; balance and heading determine that force.
        self._per_spin = (robot.mass_kg * max(half_sole_m, 0.03)) ** 2 if half_sole_m > 0.0 else math.inf
        self._below_trunk = _below_trunk(body)
        self._walks = False
        self._take(gains)

    def _take(self, gains: Gains) -> None:
        walk = gains.walk
        self._heading, self._spin = walk.heading_weight, walk.spin_weight / self._per_spin
        # A rotation task has the same weight about all axes, except where `walk` has changed it.
        self._standing = (
            [float(weight[0]) for weight in self._upright],
            float(self._momentum[0]),
            self._posture.copy(),
        )
        self._walking_posture = np.minimum(self._posture, walk.arm_weight)
        for joint in self._below_trunk:
            self._walking_posture[joint] = self._posture[joint]

    def retune(self, gains: Gains) -> None:
        """Applies new gains; the weights of standing must already have been updated from them."""
        self._take(gains)
        if self._walks:
            self.walk()
        else:
            self.stand()

    def walk(self) -> None:
        """Applies the weights of walking."""
        self._walks = True
        self.lean(False)
        for weight in self._upright:
            weight[Z] = self._heading
        self._momentum[Z] = self._spin
        self._posture[:] = self._walking_posture

    def lean(self, leans: bool) -> None:
        """Lets base and trunk lean, in a step that catches the robot, or holds them upright."""
        part = _LEANING if leans else 1.0
        for weight, standing in zip(self._upright, self._standing[0], strict=True):
            weight[X] = weight[Y] = part * standing

    def stand(self) -> None:
        """Applies the weights of standing."""
        self._walks = False
        self.lean(False)
        headings, spin, posture = self._standing
        for weight, heading in zip(self._upright, headings, strict=True):
            weight[Z] = heading
        self._momentum[Z] = spin
        self._posture[:] = posture


def _below_trunk(body: WholeBody) -> list[int]:
    """Returns the indices of the joints between base and trunk, which carry the trunk and are not arms."""
    if "trunk" not in body.task_index:
        return []
    tasks, i = body.arrays.tasks, body.task_index["trunk"]
    return [
        int(j) - body.robot.n_base for j in tasks.columns[i, : tasks.n_columns[i]] if j >= body.robot.n_base
    ]
