"""Behaviour `wipe`: a hand presses on a surface and moves along it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourParameters,
    Context,
    Legs,
    Payload,
    Vector3,
)
from kilohertz.controller.behaviours.impedance import check_only_hand
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.soft.wiping import Wiping
from kilohertz.robots.model.robot_model import RobotModel


class Wipe(Behaviour):
    """Press a hand on a surface with a force, and draw circles along it; its tilt need not be known well."""

    name = "wipe"
    legs = Legs.KEEP
    fixed_base = True
    softens = True
    fields = (("normal", 3), ("force_N", 1), ("approach_m_s", 1), ("radius_m", 1), ("period_s", 1))

    class Parameters(BehaviourParameters):
        """Parameters of `wipe`.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            force_N: force of the hand on the surface [N].
            normal: direction from the surface to the hand, in world axes; 10 deg off is good enough.
            approach_m_s: speed towards the surface until it is touched [m/s].
            radius_m: radius of the circles along the surface; 0 to press only [m].
            period_s: time for one circle [s].
        """

        hand: str | None = None
        force_N: Annotated[float, Field(gt=0, le=100)] = 10.0
        normal: Vector3 = (0.0, 0.0, 1.0)
        approach_m_s: Annotated[float, Field(gt=0, le=0.2)] = 0.03
        radius_m: Annotated[float, Field(ge=0, le=0.5)] = 0.05
        period_s: Annotated[float, Field(ge=0.5, le=60)] = 4.0

        @field_validator("normal")
        @classmethod
        def _has_direction(cls, value: Any) -> Any:
            if float(np.linalg.norm(value)) < 1e-6:
                raise ValueError("has no direction: it should be a vector that is longer than 0")
            return value

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._wiping: Wiping | None = None

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot on legs, or an arm whose hand's force is not estimated."""
        check_only_hand(robot, cls.name, parameters.hand)

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the parameters, with the normal as a unit vector."""
        payload["normal"][:] = np.array(parameters.normal) / np.linalg.norm(parameters.normal)
        for name in ("force_N", "approach_m_s", "radius_m", "period_s"):
            payload[name][0] = getattr(parameters, name)

    def start(self, payload: Payload) -> None:
        """Moves the hand towards the surface."""
        context = self.context
        assert context.soft is not None
        assert context.w_H is not None
        if self._wiping is None:
            self._wiping = Wiping(context.soft, context.body.arrays.kin, context.w_H, context.wrist)
        self._wiping.start(
            payload["normal"], *(float(payload[name][0]) for name, _ in self.fields if name != "normal")
        )

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Presses with the force, and moves along the surface."""
        assert self._wiping is not None
        self._wiping.advance(t_s)
