"""Behaviour `footsteps`: the robot walks on given footsteps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    Legs,
    Payload,
    UpperBodyParameters,
    Vector3,
)
from kilohertz.controller.walking.footstep_check import check_footsteps
from kilohertz.controller.walking.route import FOOTSTEP_SIZE, MOST_FOOTSTEPS
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.config.yaml_file import Config
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector


class Footstep(Config):
    """One footstep: the foot, and the position and yaw of its sole, which stays level.

    Attributes:
        foot: name of the foot, a contact of the robot.
        p_SF_m: position of the middle of the sole, relative to the middle of all soles when the walk begins,
            x along the robot's heading at that time [m].
        yaw_rad: yaw of the sole relative to that heading [rad].
    """

    foot: str
    p_SF_m: Vector3
    yaw_rad: float = Field(default=0.0, ge=-2.0 * math.pi, le=2.0 * math.pi)


class Footsteps(Behaviour):
    """Walk on given footsteps, on stairs for example, and stand on the last ones."""

    name = "footsteps"
    legs = Legs.STEP
    fields = (("n_footsteps", 1), ("footsteps", MOST_FOOTSTEPS * FOOTSTEP_SIZE))
    frees_hands = True

    class Parameters(UpperBodyParameters):
        """Parameters of `footsteps`.

        Attributes:
            steps: footsteps in the order in which they are taken; the feet alternate.
        """

        steps: tuple[Footstep, ...] = Field(min_length=1)

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for footsteps that the robot's legs cannot reach."""
        steps = parameters.steps
        if len(steps) > MOST_FOOTSTEPS:
            raise BehaviourError(
                ("steps",), f"footsteps are at most {MOST_FOOTSTEPS}, not {len(steps)}; split them up"
            )
        for i, step in enumerate(steps):
            if step.foot not in robot.contact_names:
                hint = did_you_mean(step.foot, robot.contact_names)
                raise BehaviourError(
                    ("steps", i, "foot"), f"'{step.foot}' is not a foot of {robot.name}{hint}"
                )
        payload = {name: np.zeros(length) for name, length in cls.fields}
        cls.write(robot, parameters, payload)
        check_footsteps(robot, _route(payload))

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the number of footsteps, and the contact index, position [m] and yaw [rad] of each."""
        payload["n_footsteps"][0] = len(parameters.steps)
        for step, row in zip(parameters.steps, _route(payload), strict=True):
            row[0] = robot.contact_names.index(step.foot)
            row[1:4], row[4] = step.p_SF_m, step.yaw_rad

    def start(self, payload: Payload) -> None:
        """Begins to walk on the footsteps of the request."""
        self.context.begin_walk(_route(payload))


def _route(payload: Payload) -> Vector:
    """Returns an (n, 5) view of the footsteps of a request."""
    used = int(payload["n_footsteps"][0]) * FOOTSTEP_SIZE
    route: Vector = payload["footsteps"][:used].reshape(-1, FOOTSTEP_SIZE)
    return route
