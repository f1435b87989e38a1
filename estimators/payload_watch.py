"""Keeps an eye on the weight: what the robot carries that nobody told it of, standing or walking.

All of it shows in the soles' wrenches, what is in a hand shows in the torques of its arm too, and far more
sharply: a model that is off by a few percent of the whole robot's mass is off by a few percent of an arm's
there. The trunk carries the rest. The soles' wrenches are taken from torques and motion of the legs alone:
neither the upper body nor what the controller hoped it would do enters (with the planned wrenches instead, a
load of 10 kg in G1's hands came out as 7 kg). The legs' own acceleration matters: heavy ones that sink to
the height of walking seemed to lose 17 kg.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from kilohertz.estimators.disturbance import OBSERVER, SCALES
from kilohertz.estimators.payload_kernels import (
    AFTER_PUSH_S,
    CALM_S,
    JUDGED,
    KNOWN,
    PAYLOAD_KG,
    Arms,
    Carriers,
    Load,
    MeanMotion,
    SoleForces,
    Soles,
    add_up_soles,
    average_motion,
    feel_hands,
    find_own_centre,
    observe_load,
    share_load,
)
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.kin import Kin
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_EVERY_TICKS = 20
"""A payload is no matter of milliseconds."""


class LoadedModel(Protocol):
    """The model that a controller works with, as far as loads are in it; arrays keep their address.

    Attributes:
        frames: frame in `Kin` of each of its n carriers: every hand that has an arm, and last the trunk.
        mass_kg: (n,) load of each carrier as the model has it now.
        p_F: (n, 3) where it is, in the carrier's frame [m].
        own_centre_F: (n, 3) centre of mass of what each carrier's joint moves by itself, in its frame [m].
        p_RC: (3,) written: from the centre of mass of the robot alone to that with its loads [m].
    """

    frames: list[int]
    mass_kg: Vector
    p_F: Vector
    own_centre_F: Vector
    p_RC: Vector

    def reset(self) -> None:
        """Carries nothing, at once."""
        ...

    def aim(self, carrier: int, mass_kg: float, p_F: Vector) -> None:
        """Says what a carrier is believed to carry [kg], and where in its frame [m]."""
        ...

    def follow(self, carrier: int, dt_s: float) -> None:
        """Lets the model of one carrier follow for this long."""
        ...


class PayloadWatch:
    """Estimates what a robot on its soles carries, and puts it into the model of its controller.

    Args:
        robot: the robot.
        kin: kinematics of the tick, with the loads that the model has.
        soles: the contacts, whose arrays keep their address.
        model: takes the loads.

    Attributes:
        p_BP_m: (3,) middle of everything carried, from the base's origin along its heading; its height is
            NaN: it does not show in a robot that stands upright.
    """

    def __init__(self, robot: RobotModel, kin: Kin, soles: Soles, model: LoadedModel) -> None:
        self._model = model
        carriers = np.array(model.frames, np.int64)
        n = len(carriers)
        moves_trunk = np.zeros(robot.nv, np.int64)
        moves_trunk[kin.columns[carriers[-1], : kin.n_columns[carriers[-1]]]] = 1
        self._motion = MeanMotion(
            tau_sum=np.zeros(robot.na),
            last_v=np.zeros(robot.nv),
            tau=np.zeros(robot.na),
            vdot=np.zeros(robot.nv),
        )
        self._load = load = Load(
            momentum=np.zeros(3),
            moment=np.zeros(3),
            observer=np.zeros(OBSERVER),
            disturbance=np.zeros(6),
            judged=np.zeros(JUDGED),
            scales=np.zeros(SCALES),
            raw=np.zeros(3),
            felt_kg=np.zeros(n - 1),
            hand_kg=np.zeros(n - 1),
            hand_place=np.zeros((n - 1, 2)),
            goal_kg=np.zeros(n),
            goal_place=np.zeros((n, 3)),
            p_BP=np.full(3, math.nan),
        )
        self.p_BP_m = load.p_BP
        self._weigh = bind(
            "payload_kernel",
            [average_motion, add_up_soles, feel_hands, find_own_centre, observe_load, share_load],
            call={"period_s": "f8", "ticks": "i8"},
            structs={
                "k": kin,
                "soles": soles,
                "motion": self._motion,
                "forces": SoleForces(np.zeros(3), np.zeros(3), np.zeros((6, 6)), np.zeros(6)),
                "arms": Arms(carriers[:-1].copy(), moves_trunk, np.zeros((n - 1, 3)), np.zeros(3)),
                "carriers": Carriers(
                    carriers,
                    model.mass_kg,
                    model.p_F,
                    model.own_centre_F,
                    model.p_RC,
                    np.array([robot.mass_kg]),
                ),
                "load": load,
            },
        )
        self.reset()

    @property
    def mass_kg(self) -> float:
        """Of everything carried, 0 while there is nothing."""
        return float(self._load.judged[PAYLOAD_KG])

    @property
    def calm(self) -> bool:
        """Whether nothing but weight is at work, and has been for a while: nobody pushes."""
        return bool(self._load.judged[CALM_S] >= AFTER_PUSH_S)

    def reset(self) -> None:
        """Forgets what was known, and carries nothing."""
        load = self._load
        for array in (self._motion.tau_sum, self._motion.last_v, load.observer, load.disturbance):
            array[:] = 0.0
        for array in (load.scales, load.raw, load.felt_kg, load.hand_kg, load.judged, load.goal_kg):
            array[:] = 0.0
        load.judged[CALM_S] = AFTER_PUSH_S
        self._model.reset()
        self._tick, self._elapsed_s = 0, 0.0
        self.p_BP_m[:] = math.nan

    def update(self, tau: Vector, dt_s: float) -> None:
        """Takes a tick.

        Args:
            tau: (na,) joint torques [Nm].
            dt_s: period [s].
        """
        self._tick += 1
        self._elapsed_s += dt_s
        np.add(self._motion.tau_sum, tau, out=self._motion.tau_sum)
        duty = self._tick % _EVERY_TICKS
        if duty == 0:
            self._weigh(self._elapsed_s, _EVERY_TICKS)
            self._elapsed_s = 0.0
            if self._load.judged[KNOWN] and self.calm:
                for carrier, mass_kg in enumerate(self._load.goal_kg.tolist()):
                    self._model.aim(carrier, mass_kg, self._load.goal_place[carrier])
        elif duty <= len(self._model.frames):
            self._model.follow(duty - 1, _EVERY_TICKS * dt_s)
