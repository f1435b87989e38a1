"""Behaviour `admittance`: a hand moves under forces like a body with a damper and a spring."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from kilohertz.controller.behaviours.base import (
    Behaviour,
    BehaviourError,
    BehaviourParameters,
    Context,
    Legs,
    Payload,
)
from kilohertz.controller.behaviours.impedance import FRAMES, check_only_hand
from kilohertz.controller.behaviours.reach import hand_index
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.soft.admittance import Admittance as Law
from kilohertz.estimators.wrist_wrench import FOLLOW_PER_S, LIVE, TARING
from kilohertz.robots.model.robot_model import RobotModel

Mass = Annotated[float, Field(ge=0.5, le=200)]
Drag = Annotated[float, Field(ge=0, le=2000)]
Stiffness = Annotated[float, Field(ge=0, le=5000)]
Inertia = Annotated[float, Field(ge=0.01, le=20)]
TurningDrag = Annotated[float, Field(ge=0, le=100)]
Turning = Annotated[float, Field(ge=0, le=300)]

_CHATTERS = ": with less it may chatter on a stiff surface"


class Admittance(Behaviour):
    """Move a hand under forces on it like a body of a given mass, with a damper and a spring per axis."""

    name = "admittance"
    legs = Legs.KEEP
    fixed_base = True
    feels = True
    yields = True
    fields = (("hand", 1), ("law", 18), ("least", 6), ("speed_m_s", 1), ("own_axes", 1), ("turns", 1))

    class Parameters(BehaviourParameters):
        """Parameters of `admittance`.

        The hand must be free during the first 0.25 s, in which it rests.

        Attributes:
            hand: name of the hand; may be left out on a robot with one hand.
            mass_kg: mass that the hand seems to have, one number or one per axis [kg].
            damping_Ns_m: force over speed, one number or one per axis [Ns/m].
            stiffness_N_m: force over displacement from the place at the beginning, one number or one per axis
                [N/m].
            inertia_kgm2: inertia that the hand seems to have when it turns, one number or one per axis; if it
                is left out, the hand keeps its orientation [kg m^2].
            damping_Nms_rad: moment over rate of rotation [Nms/rad].
            stiffness_Nm_rad: moment over rotation from the orientation at the beginning [Nm/rad].
            frame: axes of these numbers: those of the world, or those of the hand at the beginning.
            least_N: force per axis that counts as none, so that an error of the sensor does not move the hand
                [N].
            least_Nm: the same for moments [Nm].
            speed_m_s: speed of the hand above which it is braked [m/s].
        """

        hand: str | None = None
        mass_kg: Mass | tuple[Mass, Mass, Mass] = 8.0
        damping_Ns_m: Drag | tuple[Drag, Drag, Drag] = 40.0
        stiffness_N_m: Stiffness | tuple[Stiffness, Stiffness, Stiffness] = 0.0
        inertia_kgm2: Inertia | tuple[Inertia, Inertia, Inertia] | None = None
        damping_Nms_rad: TurningDrag | tuple[TurningDrag, TurningDrag, TurningDrag] = 2.0
        stiffness_Nm_rad: Turning | tuple[Turning, Turning, Turning] = 0.0
        frame: Literal["world", "hand"] = "world"
        least_N: Annotated[float, Field(ge=0, le=50)] = 0.3
        least_Nm: Annotated[float, Field(ge=0, le=5)] = 0.05
        speed_m_s: Annotated[float, Field(gt=0, le=2)] = 0.5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._before_s, self._waits = 0.0, True
        self._numbers = {name: np.zeros(size) for name, size in self.fields}
        self._law: Law | None = None
        if context.w_H is not None and context.wrist is not None:
            hands = context.hands
            kin = context.body.arrays.kin
            self._law = Law(kin, hands.frames[0], hands.motion(0), context.w_H, FOLLOW_PER_S)

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Raises BehaviourError for a robot on legs, or an arm whose only hand has no force-torque sensor."""
        check_only_hand(robot, cls.name, parameters.hand)
        if not robot.wrists:
            raise BehaviourError(
                (),
                f"'{robot.name}' has no force-torque sensor at its wrist (hands: wrist): the force that the "
                f"torques tell comes too late for {cls.name}, which then grows unstable; ask for impedance",
            )

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the law as masses, dampings and stiffnesses, of translations, then rotations each."""
        law = payload["law"].reshape(3, 6)
        law[0, :3], law[0, 3:] = parameters.mass_kg, parameters.inertia_kgm2 or 1.0
        law[1, :3], law[1, 3:] = parameters.damping_Ns_m, parameters.damping_Nms_rad
        law[2, :3], law[2, 3:] = parameters.stiffness_N_m, parameters.stiffness_Nm_rad
        payload["least"][:3], payload["least"][3:] = parameters.least_N, parameters.least_Nm
        payload["hand"][0] = hand_index(robot, parameters.hand)
        payload["speed_m_s"][0] = parameters.speed_m_s
        payload["own_axes"][0] = FRAMES.index(parameters.frame)
        payload["turns"][0] = parameters.inertia_kgm2 is not None

    def start(self, payload: Payload) -> None:
        """Lets the hand rest first, to measure the wrench without a contact."""
        self.context.hands.lead(int(payload["hand"][0])).move(None, None)
        for name, numbers in self._numbers.items():
            numbers[:] = payload[name]
        self._before_s, self._waits = 0.0, True

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Moves the hand as the forces on it ask for."""
        dt_s, self._before_s = t_s - self._before_s, t_s
        law, motion, wrist = self._law, self.context.hands.motion(0), self.context.wrist
        assert law is not None
        if wrist is None or wrist.state > LIVE:
            # Without its sensor the hand holds where it is.
            self.done = True
            return
        if wrist.state == TARING:
            return
        if self._waits:
            if not motion.at_rest:
                return
            self._waits = False
            self._begin(law)
            motion.follow_row()
        law.advance(dt_s)

    def _begin(self, law: Law) -> None:
        given = self._numbers
        numbers = given["law"].reshape(3, 6)
        own_axes, turns = bool(given["own_axes"][0]), bool(given["turns"][0])
        rate = self.context.gains.estimator.arm.disturbance_per_s
        law.start(numbers, given["least"], float(given["speed_m_s"][0]), rate, own_axes=own_axes, turns=turns)
        own_kg = law.own_mass_kg()
        if bool(np.any(numbers[0, :3] < own_kg)):
            told = ", ".join(f"{mass:.1f}" for mass in own_kg)
            self.context.remarks.last = f"the hand itself weighs {told} kg along the axes{_CHATTERS}"
