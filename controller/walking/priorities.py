"""What matters differently while walking: the turning of the robot about the vertical.

A leg that swings forward turns the robot; the stance sole alone, narrow and with its friction already
spent on the rest, cannot hold that. So the trunk's heading gives way, and the arms swing against the
legs: both follow from weights, on the heading (low), on the rate of the angular momentum about the
vertical (high) and on the arms (low).
"""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import Z


class Priorities:
    """Weights of walking, and back to those of standing.

    Args:
        body: the whole-body controller, with the weights of standing.
        gains: of the robot.
        half_sole_m: half the length of a sole; 0 for a point.
    """

    def __init__(self, body: WholeBody, gains: Gains, half_sole_m: float) -> None:
        robot = body.robot
        self._upright = [body.weight(name) for name in ("base", "trunk") if name in body.task_index]
        self._momentum = body.weight("angular_momentum")
        self._posture = body.reference("posture")[robot.na :]
        # A point holds no moment, whatever the arms do: what turns a robot on points about the vertical is a
        # force that goes past the centre of mass, and that is for its balance and its heading.
        self._per_spin = (robot.mass_kg * max(half_sole_m, 0.03)) ** 2 if half_sole_m > 0.0 else math.inf
        self._below_trunk = _below_trunk(body)
        self._walks = False
        self._take(gains)

    def _take(self, gains: Gains) -> None:
        walk = gains.walk
        self._heading, self._spin = walk.heading_weight, walk.spin_weight / self._per_spin
        # Of a rotation the weights about all axes are alike, but for what `walk` has set.
        self._standing = (
            [float(weight[0]) for weight in self._upright],
            float(self._momentum[0]),
            self._posture.copy(),
        )
        self._walking_posture = np.minimum(self._posture, walk.arm_weight)
        for joint in self._below_trunk:
            self._walking_posture[joint] = self._posture[joint]

    def retune(self, gains: Gains) -> None:
        """Takes these gains, after the weights of standing that follow from them have been written."""
        self._take(gains)
        if self._walks:
            self.walk()
        else:
            self.stand()

    def walk(self) -> None:
        """Sets the weights of walking."""
        self._walks = True
        for weight in self._upright:
            weight[Z] = self._heading
        self._momentum[Z] = self._spin
        self._posture[:] = self._walking_posture

    def stand(self) -> None:
        """Sets the weights of standing."""
        self._walks = False
        headings, spin, posture = self._standing
        for weight, heading in zip(self._upright, headings, strict=True):
            weight[Z] = heading
        self._momentum[Z] = spin
        self._posture[:] = posture


def _below_trunk(body: WholeBody) -> list[int]:
    """Joints between base and trunk: they hold the trunk up and are no arms."""
    if "trunk" not in body.task_index:
        return []
    tasks, i = body.arrays.tasks, body.task_index["trunk"]
    return [
        int(j) - body.robot.n_base for j in tasks.columns[i, : tasks.n_columns[i]] if j >= body.robot.n_base
    ]
