"""Behaviour `guide`: a person leads a hand, which stays where it is let go."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourParameters,
    Legs,
    Payload,
    Positive,
    Vector3,
)
from kilohertz.controller.behaviours.impedance import check_fixed
from kilohertz.controller.behaviours.reach import hand_index
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.soft.guidance import PLANE_SIZE, Guidance
from kilohertz.robots.config.yaml_file import Config
from kilohertz.robots.model.robot_model import RobotModel

MOST_WALLS = 6
_ENERGY_J = 50.0
"""Size of the tank [J]: nothing here is active but the walls, which are passive by themselves."""


class Wall(Config):
    """A virtual wall, which a hand that is led does not pass.

    Attributes:
        p_WO_m: a point of the wall in the world [m].
        normal: direction from the wall to the side on which the hand may be, in world axes.
    """

    p_WO_m: Vector3
    normal: Vector3

    @model_validator(mode="after")
    def _has_direction(self) -> Wall:
        if float(np.linalg.norm(self.normal)) < 1e-6:
            raise ValueError("normal has no direction: it should be a vector that is longer than 0")
        return self


class Guide(Behaviour):
    """Let a person lead a hand: the arm carries its weight, and keeps the hand within walls and a speed."""

    name = "guide"
    legs = Legs.KEEP
    fixed_base = True
    softens = True
    fields = (
        ("hand", 1),
        ("walls", MOST_WALLS * PLANE_SIZE),
        ("n_walls", 1),
        ("speed_m_s", 1),
        ("turning_Nm_rad", 1),
        ("drag_Ns_m", 1),
    )

    class Parameters(BehaviourParameters):
        """Parameters of `guide`.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            walls: virtual walls, at most six.
            speed_m_s: speed of the hand above which it is braked [m/s].
            turning_Nm_rad: stiffness with which the hand keeps its orientation; 0 to let it turn [Nm/rad].
            drag_Ns_m: force over speed that the hand resists below that speed [Ns/m].
        """

        hand: str | None = None
        walls: Annotated[tuple[Wall, ...], Field(max_length=MOST_WALLS)] = ()
        speed_m_s: Annotated[float, Field(gt=0, le=2)] = 0.5
        turning_Nm_rad: Annotated[float, Field(ge=0, le=300)] = 30.0
        drag_Ns_m: Annotated[Positive, Field(le=200)] = 5.0

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot on legs, or without such a hand."""
        check_fixed(robot, cls.name)
        hand_index(robot, parameters.hand)

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the parameters; a wall is its unit normal, then its distance from the origin along it."""
        payload["hand"][0] = hand_index(robot, parameters.hand)
        rows = payload["walls"].reshape(MOST_WALLS, PLANE_SIZE)
        for row, wall in zip(rows, parameters.walls, strict=False):
            normal = np.array(wall.normal) / np.linalg.norm(wall.normal)
            row[:3], row[3] = normal, normal @ np.array(wall.p_WO_m)
        payload["n_walls"][0] = len(parameters.walls)
        for name in ("speed_m_s", "turning_Nm_rad", "drag_Ns_m"):
            payload[name][0] = getattr(parameters, name)

    def start(self, payload: Payload) -> None:
        """Lets go of the hand."""
        soft = self.context.soft
        assert soft is not None
        walls = payload["walls"].reshape(MOST_WALLS, PLANE_SIZE)[: int(payload["n_walls"][0])]
        soft.start(int(payload["hand"][0]), _ENERGY_J)
        self._guidance = Guidance(soft, self.context.body.arrays.kin, walls)
        self._guidance.start(
            float(payload["speed_m_s"][0]),
            float(payload["turning_Nm_rad"][0]),
            float(payload["drag_Ns_m"][0]),
        )

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Moves the reference along with the hand, and brakes it at walls and above its speed."""
        self._guidance.advance()
