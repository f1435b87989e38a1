"""Load transfer from foot to foot: the wrench tasks share the weight, with a higher cost on the lighter foot.

The load transfer sets no bounds on the forces, so that it can never make the problem infeasible: the wrench
of a foot that is about to leave has a high cost, but is not forbidden.
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.tasks.contact_force import WEIGHT, WRENCH
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FZ, Floats

_MOST = 300.0
"""Increase of the wrench cost of a foot that is about to leave, as a multiple of its normal cost."""
_LEAST_LOAD = 1e-3
"""Least normal force of a sole while walking, as a fraction of the weight: a foot may be almost unloaded."""


class LoadTransfer:
    """Writes the references of the wrench tasks of two feet.

    Args:
        body: whole-body controller; its wrench tasks have the weights of standing.
        largest_load: largest normal force of a sole, as a fraction of the weight.
    """

    def __init__(self, body: WholeBody, largest_load: float) -> None:
        robot = body.robot
        self._body = body
        self._names = robot.contact_names
        self._refs: list[Floats] = [body.reference(f"{name}.force") for name in self._names]
        self._normal = [geometry.select.index(FZ) for geometry in body.geometry]
        self._weight_N = robot.mass_kg * GRAVITY_M_S2
        self._largest_N = largest_load * self._weight_N
        self._standing_min_N = 0.0
        self._cost = [np.zeros(6) for _ in self._names]

    def begin(self, standing_min_N: float) -> None:
        """Takes over from standing; standing_min_N is its least normal force of a sole [N]."""
        self._standing_min_N = standing_min_N
        for name, ref, cost in zip(self._names, self._refs, self._cost, strict=True):
            cost[:] = ref[WEIGHT:]
            self._body.set_force_limits(name, _LEAST_LOAD * self._weight_N, self._largest_N)

    def end(self) -> None:
        """Restores the force limits and references of standing."""
        self.rest()
        for name in self._names:
            self._body.set_force_limits(name, self._standing_min_N, self._largest_N)

    def rest(self) -> None:
        """Shares the weight equally between two feet that stay on the ground, at the normal cost of both."""
        for ref, cost, normal in zip(self._refs, self._cost, self._normal, strict=True):
            ref[WRENCH + normal] = self._weight_N / len(self._names)
            ref[WEIGHT:] = cost

    def weigh(self, total_kg: float) -> None:
        """Sets the mass of the robot including its loads [kg]."""
        self._weight_N = total_kg * GRAVITY_M_S2

    def share(self, foot: int, part: float) -> None:
        """Gives a fraction of the weight to one foot, and the rest to the other.

        Args:
            foot: index of the contact.
            part: fraction of the weight on that foot, 0 to 1.
        """
        for i, ref in enumerate(self._refs):
            mine = part if i == foot else 1.0 - part
            ref[WRENCH + self._normal[i]] = mine * self._weight_N
            away = 1.0 - mine
            np.multiply(self._cost[i], 1.0 + _MOST * away * away, out=ref[WEIGHT:])
