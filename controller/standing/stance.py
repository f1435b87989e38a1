"""Load on the soles while the robot stands: each sole's share of the weight and its centre of pressure."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.whole_body.whole_body import Task, WholeBody
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


def stance_tasks(robot: RobotModel, gains: Gains) -> list[Task]:
    """Returns the tasks of those soles whose weight share or centre of pressure is set in gains.yaml."""
    tasks = []
    for name, stance in gains.stance.items():
        if stance.share is not None:
            weight = stance.share_weight / robot.mass_kg**2
            tasks.append(Task(f"{name}.share", "force_share", weight, (), name))
        if stance.cop_m is not None:
            corners = robot.contacts[robot.contact_names.index(name)].corners_F
            half = max(float(np.abs(corners).max()), 0.03)
            weight = stance.cop_weight / (robot.mass_kg * half) ** 2
            tasks.append(Task(f"{name}.cop", "cop", weight, (), name))
    return tasks


class Stance:
    """References of the `stance_tasks`, and the centre-of-mass offset with which they are feasible.

    Args:
        body: whole-body controller, with `stance_tasks` declared.
        gains: gains of the robot.

    Attributes:
        tasks: names of the tasks.
        share: (nc,) fraction of the weight on each sole.
    """

    def __init__(self, body: WholeBody, gains: Gains) -> None:
        robot = body.robot
        self._body = body
        self.tasks = tuple(task.name for task in stance_tasks(robot, gains))
        asked = [gains.stance[name].share if name in gains.stance else None for name in robot.contact_names]
        left = 1.0 - sum(share for share in asked if share is not None)
        rest = sum(share is None for share in asked)
        self.share = np.array([left / rest if share is None else share for share in asked])
        self._cop_C = np.zeros((len(asked), 3))
        for c, name in enumerate(robot.contact_names):
            if name in gains.stance:
                cop = gains.stance[name].cop_m
                if cop is not None:
                    self._cop_C[c, :2] = body.reference(f"{name}.cop")[:] = cop
                if gains.stance[name].share is not None:
                    body.reference(f"{name}.share")[0] = self.share[c]

    def offset(self, R_des: Vector, out: Vector) -> None:
        """Writes the position of the total centre of pressure relative to the mean of the contact frames.

        Args:
            R_des: (3, 3) heading of the soles.
            out: out[:2] is written, heading axes [m].
        """
        kin = self._body.arrays.kin
        n = len(self.share)
        pressure = [kin.p[c] + kin.R[c] @ self._cop_C[c] for c in range(n)]
        out[:2] = (R_des.T @ (self.share @ np.array(pressure) - kin.p[:n].mean(axis=0)))[:2]
