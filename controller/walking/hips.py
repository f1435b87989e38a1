"""Pelvis roll for steps up or down: the hip moves with the foot, so that the legs bend less."""

from __future__ import annotations

import math

from kilohertz.controller.tasks.frame_orientation import views
from kilohertz.controller.walking.gait_state import SETTLE, SETTLE_S, SWING, GaitState
from kilohertz.controller.walking.swing import State, quintic
from kilohertz.robots.model.kin import Floats, X, Y

_ROLL_RAD_M, _MOST_RAD = 1.2, 0.2
"""Roll of the pelvis per height of a step [rad/m], and its largest value [rad]."""


class Hips:
    """Reference of the pelvis roll.

    Args:
        base: reference of the base's orientation task; it is written.
    """

    def __init__(self, base: Floats) -> None:
        self._ref = views(base)
        self._roll: State = (0.0, 0.0, 0.0)

    def level(self) -> None:
        """Resets the roll to zero."""
        self._roll = (0.0, 0.0, 0.0)

    def advance(
        self, gait_state: GaitState, rise_m: float, step_s: float, heading: float, dt_s: float
    ) -> None:
        """Writes this tick's roll into the reference of the base, which has been written level before.

        Args:
            gait_state: phase and feet of the step under way.
            rise_m: height of its foothold over the stance foot [m].
            step_s: duration of the step [s].
            heading: yaw of the base [rad].
            dt_s: duration of the tick [s].
        """
        roll, left_s = self._roll[0], dt_s
        if gait_state.phase == SWING:
            roll = min(max(-gait_state.side * _ROLL_RAD_M * rise_m, -_MOST_RAD), _MOST_RAD)
            left_s = max(step_s - gait_state.t_s, dt_s)
        elif gait_state.phase == SETTLE:
            roll, left_s = 0.0, max(SETTLE_S - gait_state.t_s, dt_s)
        self._roll = quintic(self._roll, roll, left_s, dt_s)
        roll, rate, _ = self._roll
        c, s = math.cos(heading), math.sin(heading)
        cr, sr = math.cos(roll), math.sin(roll)
        R, w, _ = self._ref
        R[0, 1], R[0, 2] = -s * cr, s * sr
        R[1, 1], R[1, 2] = c * cr, -c * sr
        R[2, 1], R[2, 2] = sr, cr
        w[X], w[Y] = c * rate, s * rate
