"""Estimation of an unknown payload of a robot that stands or walks.

The total payload is measured by the wrenches of the soles. The load of a hand is also measured by the torques
of its arm, and much more accurately: a model error of a few percent is a few percent of the mass of an arm
there, instead of the mass of the whole robot. The remainder is the load of the trunk. The wrenches of the
soles are computed from torques and motion of the legs only, independent of the upper body and of the planned
wrenches (with the planned wrenches, a load of 10 kg in the hands of G1 was estimated as 7 kg). The
acceleration of the legs has to be included: without it, a robot with heavy legs that sinks to its walking
height seemed to lose 17 kg.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from kilohertz.estimators.disturbance import OBSERVER, SCALES
from kilohertz.estimators.least_load import least_loads_kg
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
"""Number of ticks between two payload estimates; a payload changes slowly compared with a tick."""


class LoadedModel(Protocol):
    """The loads in the model of a controller; its arrays are persistent.

    Attributes:
        frames: frame in `Kin` of each of the n carriers: every hand that has an arm, and last the trunk.
        mass_kg: (n,) current load of each carrier in the model [kg].
        p_F: (n, 3) position of that load in the carrier's frame [m].
        own_centre_F: (n, 3) centre of mass of the unloaded link that the carrier's joint moves, in its frame
            [m].
        p_RC: (3,) vector from the centre of mass of the robot alone to that with its loads, in world axes
            [m]; written by `PayloadWatch`.
    """

    frames: list[int]
    mass_kg: Vector
    p_F: Vector
    own_centre_F: Vector
    p_RC: Vector

    def reset(self) -> None:
        """Removes all loads from the model at once."""
        ...

    def aim(self, carrier: int, mass_kg: float, p_F: Vector) -> None:
        """Sets the target load of a carrier.

        Args:
            carrier: index of the carrier.
            mass_kg: mass of the load [kg].
            p_F: (3,) position of the load in the carrier's frame [m].
        """
        ...

    def follow(self, carrier: int, dt_s: float) -> None:
        """Moves the load of one carrier in the model towards its target, for a time step of dt_s [s]."""
        ...


class PayloadWatch:
    """Estimates the payload of a robot that stands on soles, and sets it in the model of its controller.

    Args:
        robot: the robot.
        kin: kinematics of the tick, including the loads in the model.
        soles: the contacts; their arrays are persistent.
        model: the model of the controller, which receives the loads.

    Attributes:
        p_BP_m: (3,) centre of the total payload relative to the base's origin, in heading axes [m]. Its
            height is NaN because it cannot be observed while the robot stands upright.
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
                    least_loads_kg(robot),
                ),
                "load": load,
            },
        )
        self.reset()

    @property
    def mass_kg(self) -> float:
        """Mass of the total payload [kg]; 0 while there is none."""
        return float(self._load.judged[PAYLOAD_KG])

    @property
    def calm(self) -> bool:
        """Whether the last push ended at least AFTER_PUSH_S ago."""
        return bool(self._load.judged[CALM_S] >= AFTER_PUSH_S)

    def reset(self) -> None:
        """Resets the estimate, and the loads in the model, to no payload."""
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
        """Updates the sums with one tick; every 20th tick updates the estimate.

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
