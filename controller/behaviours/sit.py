"""Behaviour `sit`: the robot crouches before its joints are damped."""

from __future__ import annotations

from typing import Any

from kilohertz.controller.behaviours.base import Behaviour, Payload, UpperBodyParameters
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.problem.soles import com_height
from kilohertz.robots.model.robot_model import RobotModel

_DEPTH = 0.3
"""Lowering of the centre of mass relative to its nominal height; a damped robot only drops by the rest."""


class Sit(Behaviour):
    """Crouch and stay there, so that the robot may be damped without a hard drop."""

    name = "sit"
    fields = (("depth_m", 1),)

    class Parameters(UpperBodyParameters):
        """Parameters of `sit`."""

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the depth [m], which follows from the robot's size."""
        payload["depth_m"][0] = _DEPTH * com_height(robot)

    def start(self, payload: Payload) -> None:
        """Stores the depth; the smoothed change from the behaviour before is the whole motion."""
        self._depth_m = float(payload["depth_m"][0])

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Keeps the centre of mass low."""
        reference.p[2] = -self._depth_m
