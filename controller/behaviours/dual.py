"""Behaviour `dual`: two hands move together, and keep their relative pose, or hold a load between them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import pinocchio as pin
from pydantic import Field

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Context,
    Legs,
    Payload,
    Vector3,
)
from kilohertz.controller.behaviours.circle import LARGEST_ACCEL_G, PLANES
from kilohertz.controller.behaviours.impedance import check_fixed
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.motion.sine import check_period
from kilohertz.controller.upper_body.pair_motion import HANDS, PairMotion
from kilohertz.controller.upper_body.reach import arm_length_m, nearest_pose
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_MISSED_M = 0.02
"""Largest error of position with which a place still counts as reachable."""


class Dual(Behaviour):
    """Move two hands together with a fixed relative pose, and press them on a load between them."""

    name = "dual"
    legs = Legs.KEEP
    fixed_base = True
    least_hands = HANDS
    fields = (("middle", 3), ("turn", 9), ("radius_m", 1), ("period_s", 1), ("axes", 2), ("squeeze_N", 1))

    class Parameters(BehaviourParameters):
        """Parameters of `dual`.

        The hands begin in the relative pose that they have when they have come to rest.

        Attributes:
            offset_m: offset of the middle between the hands from its place in the nominal posture [m]; if it
                is left out, the middle stays where it is.
            rpy_rad: rotation of both hands about their middle, relative to how they were held at the
                beginning of the behaviour [rad]; if it is left out, the present one.
            radius_m: radius of circles of both hands; 0 for none [m].
            period_s: time for one circle [s].
            plane: two axes of the world that span the plane of the circles.
            squeeze_N: force with which the hands press on a load between them, 0 to hold it without pressing
                [N]. Ask for it before the hands touch the load: what is measured then counts as no force. If
                it is left out, the hands hold their poses stiffly, however large the force between them
                becomes.
        """

        offset_m: Vector3 | None = None
        rpy_rad: Vector3 | None = None
        radius_m: Annotated[float, Field(ge=0, le=1)] = 0.0
        period_s: Annotated[float, Field(ge=0.5, le=60)] = 4.0
        plane: Literal["xy", "xz", "yz"] = "yz"
        squeeze_N: Annotated[float, Field(ge=0, le=200)] | None = None

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pair: PairMotion | None = None
        self._before_s, self._squeeze_N = 0.0, math.nan

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot without two hands, or a motion that they cannot make."""
        check_fixed(robot, cls.name)
        if len(robot.hands) != HANDS:
            raise BehaviourError(
                (), f"'{robot.name}' has {len(robot.hands)} hands: two hands can do {cls.name}"
            )
        if parameters.radius_m > 0.0:
            what = f"a circle of {parameters.radius_m:.2f} m"
            check_period(what, parameters.period_s, parameters.radius_m, LARGEST_ACCEL_G)
            if parameters.radius_m > min(arm_length_m(robot, hand) for hand in robot.hands):
                raise BehaviourError(("radius_m",), f"{what} is larger than the arms are long")
        if parameters.offset_m is None:
            return
        for hand in robot.hands:
            place = robot.nominal_point(hand.frame_id) + np.array(parameters.offset_m)
            nearest = nearest_pose(robot, hand, place)
            if nearest.off_m > _MISSED_M:
                raise BehaviourError(
                    ("offset_m",), f"{hand.name} does not get there{nearest.describe(turned=False)}"
                )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the target of the middle in the world, its rotation and the circles; NaN if left out."""
        payload["middle"][:] = payload["turn"][:] = payload["squeeze_N"][:] = math.nan
        if parameters.offset_m is not None:
            points: list[Vector] = [robot.nominal_point(hand.frame_id) for hand in robot.hands]
            payload["middle"][:] = 0.5 * (points[0] + points[1]) + np.array(parameters.offset_m)
        if parameters.rpy_rad is not None:
            payload["turn"][:] = pin.rpy.rpyToMatrix(np.array(parameters.rpy_rad)).ravel()
        if parameters.squeeze_N is not None:
            payload["squeeze_N"][0] = parameters.squeeze_N
        payload["radius_m"][0], payload["period_s"][0] = parameters.radius_m, parameters.period_s
        payload["axes"][:] = PLANES[parameters.plane]

    def start(self, payload: Payload) -> None:
        """Lets the hands come to rest, then moves them together."""
        context, middle, turn = self.context, payload["middle"], payload["turn"]
        assert context.internal is not None
        if self._pair is None:
            self._pair = PairMotion(context.hands)
        self._before_s = 0.0
        self._pair.start(
            middle.copy() if math.isfinite(middle[0]) else None,
            turn.reshape(3, 3).copy() if math.isfinite(turn[0]) else None,
            float(payload["radius_m"][0]),
            2.0 * math.pi / float(payload["period_s"][0]),
            (int(payload["axes"][0]), int(payload["axes"][1])),
        )
        self._squeeze_N = float(payload["squeeze_N"][0])
        if self._pair.holds and math.isfinite(self._squeeze_N):
            context.internal.start(self._squeeze_N)
        else:
            context.internal.tare()

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Writes the references of the hands."""
        pair, internal = self._pair, self.context.internal
        assert pair is not None
        assert internal is not None
        dt_s, self._before_s = t_s - self._before_s, t_s
        held = pair.holds
        pair.advance(dt_s)
        if pair.holds and not held and math.isfinite(self._squeeze_N):
            internal.start(self._squeeze_N)
        if held and not pair.holds:
            internal.stop()
            self.done = True
