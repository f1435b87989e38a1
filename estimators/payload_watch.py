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
from kilohertz.estimators.mean_motion import MeanMotion, average_motion, count_tick
from kilohertz.estimators.payload_kernels import (
    AFTER_PUSH_S,
    CALM_S,
    JUDGED,
    KNOWN,
    PAYLOAD_KG,
    Arms,
    Carriers,
    Load,
    SoleForces,
    Soles,
    add_up_soles,
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
        friction_Nm: (na,) part of the torques that compensates joint friction, a persistent array [Nm]; empty
            for a robot without it.

    Attributes:
        p_BP_m: (3,) centre of the total payload relative to the base's origin, in heading axes [m]. Its
            height is NaN because it cannot be observed while the robot stands upright.
        mass_kg: mass of the total payload [kg]; 0 while there is none.
        calm: whether the last push ended at least AFTER_PUSH_S ago.
    """

    def __init__(
        self, robot: RobotModel, kin: Kin, soles: Soles, model: LoadedModel, friction_Nm: Vector
    ) -> None:
        self._model = model
        carriers = np.array(model.frames, np.int64)
        self._carriers = n = len(carriers)
        moves_trunk = np.zeros(robot.nv, np.int64)
        moves_trunk[kin.columns[carriers[-1], : kin.n_columns[carriers[-1]]]] = 1
        self._motion = MeanMotion(
            tau_sum=np.zeros(robot.na),
            last_v=np.zeros(robot.nv),
            tau=np.zeros(robot.na),
            vdot=np.zeros(robot.nv),
            friction=friction_Nm,
            elapsed_s=np.zeros(1),
            ticks=np.zeros(1, np.int64),
        )
        self._count = bind(
            "payload_sums",
            [count_tick],
            call={"tau": "f8[::1]", "dt_s": "f8"},
            structs={"motion": self._motion},
            returns="i8",
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

    def reset(self) -> None:
        """Resets the estimate, and the loads in the model, to no payload."""
        load = self._load
        for array in (self._motion.tau_sum, self._motion.last_v, load.observer, load.disturbance):
            array[:] = 0.0
        for array in (load.scales, load.raw, load.felt_kg, load.hand_kg, load.judged, load.goal_kg):
            array[:] = 0.0
        load.judged[CALM_S] = AFTER_PUSH_S
        self._motion.elapsed_s[:], self._motion.ticks[:] = 0.0, 0
        self._model.reset()
        self.p_BP_m[:] = math.nan
        self.mass_kg, self.calm = 0.0, True

    def update(self, tau: Vector, dt_s: float) -> None:
        """Updates the sums with one tick; every 20th tick updates the estimate.

        Args:
            tau: (na,) joint torques [Nm].
            dt_s: period [s].
        """
        ticks = self._count(tau, dt_s)
        if ticks == _EVERY_TICKS:
            self._estimate()
        elif ticks <= self._carriers:
            self._model.follow(ticks - 1, _EVERY_TICKS * dt_s)

    def _estimate(self) -> None:
        """Weighs the payload from the motion of the last ticks, and sets it in the model."""
        load = self._load
        self._weigh(float(self._motion.elapsed_s[0]), _EVERY_TICKS)
        self.mass_kg = float(load.judged[PAYLOAD_KG])
        self.calm = bool(load.judged[CALM_S] >= AFTER_PUSH_S)
        if load.judged[KNOWN] and self.calm:
            for carrier, mass_kg in enumerate(load.goal_kg.tolist()):
                self._model.aim(carrier, mass_kg, load.goal_place[carrier])
