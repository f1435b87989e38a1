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

import numpy as np

from kilohertz.controller.payload_kernels import (
    AFTER_PUSH_S,
    CALM_S,
    JUDGED,
    KNOWN,
    PAYLOAD_KG,
    add_up_soles,
    average_motion,
    feel_hands,
    find_own_centre,
    observe_load,
    share_load,
)
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.estimators.disturbance import OBSERVER, SCALES
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.rows import Vector

_EVERY_TICKS = 20
"""A payload is no matter of milliseconds."""


class PayloadWatch:
    """Estimates what a robot on its soles carries, and puts it into the model of its controller.

    Args:
        body: the whole-body controller, whose kinematics are those of this tick.

    Attributes:
        p_BP_m: (3,) middle of everything carried, from the base's origin along its heading; its height is
            NaN: it does not show in a robot that stands upright.
    """

    def __init__(self, body: WholeBody) -> None:
        robot, kin, contacts = body.robot, body.arrays.kin, body.arrays.contacts
        self._carried = carried = body.carried
        carriers = np.array(carried.frames, np.int64)
        n = len(carriers)
        self._tau_sum, self._last_v = np.zeros(robot.na), np.zeros(robot.nv)
        self._observer, self._disturbance = np.zeros(OBSERVER), np.zeros(6)
        self._scales, self._raw = np.zeros(SCALES), np.zeros(3)
        self._felt_kg, self._hand_kg = np.zeros(n - 1), np.zeros(n - 1)
        self._judged = np.zeros(JUDGED)
        self._goal_kg, self._goal_place = np.zeros(n), np.zeros((n, 3))
        self.p_BP_m = np.full(3, math.nan)
        moves_trunk = np.zeros(robot.nv, np.int64)
        moves_trunk[kin.columns[carriers[-1], : kin.n_columns[carriers[-1]]]] = 1
        known = ("M", "J", "R", "p", "h", "drift", "p_WC", "v_WC", "L_C", "q", "v", "mass", "n_base")
        self._weigh = bind(
            "payload_kernel",
            [average_motion, add_up_soles, feel_hands, find_own_centre, observe_load, share_load],
            call={"period_s": "f8", "ticks": "i8"},
            persistent={
                **{name: getattr(kin, name) for name in (*known, "columns", "n_columns")},
                **{name: getattr(contacts, name) for name in ("frame", "offset", "dim", "select")},
                "tau_sum": self._tau_sum,
                "last_v": self._last_v,
                "tau": np.zeros(robot.na),
                "vdot": np.zeros(robot.nv),
                "force_W": np.zeros(3),
                "moment_C": np.zeros(3),
                "normal": np.zeros((6, 6)),
                "wrench": np.zeros(6),
                "hands": carriers[:-1].copy(),
                "moves_trunk": moves_trunk,
                "pull": np.zeros((n - 1, 3)),
                "felt": np.zeros(3),
                "carriers": carriers,
                "carried_kg": carried.mass_kg,
                "carried_place": carried.p_F,
                "own_centre_F": carried.own_centre_F,
                "robot_kg": np.array([robot.mass_kg]),
                "p_RC": carried.p_RC,
                "momentum": np.zeros(3),
                "moment": np.zeros(3),
                "observer": self._observer,
                "disturbance": self._disturbance,
                "judged": self._judged,
                "scales": self._scales,
                "raw": self._raw,
                "felt_kg": self._felt_kg,
                "hand_kg": self._hand_kg,
                "hand_place": np.zeros((n - 1, 2)),
                "goal_kg": self._goal_kg,
                "goal_place": self._goal_place,
                "p_BP": self.p_BP_m,
            },
        )
        self.reset()

    @property
    def mass_kg(self) -> float:
        """Of everything carried, 0 while there is nothing."""
        return float(self._judged[PAYLOAD_KG])

    @property
    def calm(self) -> bool:
        """Whether nothing but weight is at work, and has been for a while: nobody pushes."""
        return bool(self._judged[CALM_S] >= AFTER_PUSH_S)

    def reset(self) -> None:
        """Forgets what was known, and carries nothing."""
        for array in (
            self._tau_sum,
            self._last_v,
            self._observer,
            self._disturbance,
            self._scales,
            self._raw,
        ):
            array[:] = 0.0
        for array in (self._felt_kg, self._hand_kg, self._judged, self._goal_kg):
            array[:] = 0.0
        self._judged[CALM_S] = AFTER_PUSH_S
        self._carried.reset()
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
        self._tau_sum += tau
        duty = self._tick % _EVERY_TICKS
        if duty == 0:
            self._weigh(self._elapsed_s, _EVERY_TICKS)
            self._elapsed_s = 0.0
            if self._judged[KNOWN] and self.calm:
                for carrier, mass_kg in enumerate(self._goal_kg.tolist()):
                    self._carried.aim(carrier, mass_kg, self._goal_place[carrier])
        elif duty <= len(self._carried.frames):
            self._carried.follow(duty - 1, _EVERY_TICKS * dt_s)
