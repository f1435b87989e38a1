"""Wiping: a hand is pressed on a surface with a force, and moves along it in circles.

A spring moves the hand towards the surface until a force is felt. From then on the hand has no stiffness
along the normal: the force is a feed-forward, plus the integral of the error of the measured force. Along the
surface a spring keeps the hand on its circle. Because it gives way along the normal, the surface may be
tilted from what the request says: an angle of 5 deg changes the force by 0.4 %.

Source: hybrid position and force control, Raibert, Craig, "Hybrid position/force control of manipulators",
J. Dynamic Systems, Measurement and Control 1981, with the inertia left as it is.
"""

from __future__ import annotations

import math

import numpy as np

from kilohertz.controller.motion.profile import minimum_jerk
from kilohertz.controller.soft.impedance_law import GIVEN_AXES
from kilohertz.controller.soft.soft_arm import SoftArm
from kilohertz.estimators.wrist_wrench import WristWrench
from kilohertz.robots.model.kin import Kin
from kilohertz.robots.model.rows import Vector

_ALONG_N_M, _TURNING_NM_RAD = 2500.0, 60.0
"""Stiffness of the hand along the surface, and of its orientation."""
_NORMAL_NS_M = 60.0
"""Damping along the normal [Ns/m]."""
_POSTURE_NM_RAD = 10.0
_ENERGY_J = 50.0
_TOUCH_PART = 0.25
"""Part of the force at which the surface counts as touched."""
_LEAST_TOUCH_N = 1.5
_TARE_S, _TARE_MEAN_S = 0.3, 0.15
"""Time before a touch can be seen, and time constant of the mean force in the air, which is taken off [s]."""
_RISE_S, _CIRCLE_RISE_S = 0.5, 2.0
"""Times in which force and radius rise [s]."""
_INTEGRAL_PER_S = 4.0
"""Rate at which an error of the force that the observer tells is taken out [1/s]."""
_FELT_PER_S = 15.0
"""Rate at which an error of the force is taken out that a force-torque sensor measures [1/s]."""
_MOST_CORRECTION_N, _MOST_CORRECTION_PART = 5.0, 0.5
"""Largest correction: a force, and a part of the desired force in addition."""

APPROACHES, PRESSES = range(2)


class Wiping:
    """Leads the law of a soft hand while it wipes.

    Args:
        soft: the soft arm.
        kin: kinematics of the tick.
        w_H: (6,) measured force [N] and moment [Nm] on the hand, in its axes; persistent.
        wrist: the force-torque sensor that measures it; None if only the observer does.

    Attributes:
        phase: APPROACHES or PRESSES.
        force_N: measured force of the hand on the surface [N].
    """

    def __init__(self, soft: SoftArm, kin: Kin, w_H: Vector, wrist: WristWrench | None = None) -> None:
        self._soft, self._kin, self._w_H, self._wrist = soft, kin, w_H, wrist
        self._damping, self._wrench, self._A = np.zeros(6), np.zeros(6), np.eye(3)
        self.phase, self.force_N = APPROACHES, 0.0

    def start(
        self, normal: Vector, force_N: float, approach_m_s: float, radius_m: float, period_s: float
    ) -> None:
        """Begins at the present pose of the hand.

        Args:
            normal: (3,) unit normal of the surface, towards the hand, in world axes.
            force_N: force on the surface [N].
            approach_m_s: speed towards the surface [m/s].
            radius_m: radius of the circles, 0 for none [m].
            period_s: time for one circle [s].
        """
        soft, A = self._soft, self._A
        # The axes are two along the surface, and the normal.
        first = np.zeros(3)
        first[int(np.argmin(np.abs(normal)))] = 1.0
        A[:, 0] = np.cross(normal, np.cross(first, normal))
        A[:, 0] /= np.linalg.norm(A[:, 0])
        A[:, 1], A[:, 2] = np.cross(normal, A[:, 0]), normal
        soft.start(soft.hand, _ENERGY_J)
        soft.place()
        soft.motion.at_rest = True
        soft.set_axes(A)
        stiffness = np.array([_ALONG_N_M] * 3 + [_TURNING_NM_RAD] * 3)
        soft.set_spring(stiffness, 1.0, GIVEN_AXES, _POSTURE_NM_RAD, at_once=True)
        self._wrench[:] = 0.0
        self._middle = soft.motion.p.copy()
        self._force_N, self._approach_m_s = force_N, approach_m_s
        self._radius_m, self._omega = radius_m, 2.0 * math.pi / period_s
        self._air_N = self._correction_N = self._t_s = self._before_s = 0.0
        self.phase = APPROACHES

    def advance(self, t_s: float) -> None:
        """Sets force and reference for this tick.

        Args:
            t_s: time since the start [s].
        """
        dt_s, self._before_s = t_s - self._before_s, t_s
        kin, frame, A = self._kin, self._soft.frame, self._A
        # The wrench acts on the hand: on a surface below, it points up along the normal.
        raw_N = float(A[:, 2] @ (kin.R[frame] @ self._w_H[:3]))
        if self.phase == APPROACHES:
            self._approach(t_s, dt_s, raw_N)
        else:
            self._press(dt_s, raw_N)
        self._soft.set_wrench(self._wrench)

    def _approach(self, t_s: float, dt_s: float, raw_N: float) -> None:
        self.force_N = raw_N - self._air_N
        motion, normal = self._soft.motion, self._A[:, 2]
        motion.p -= dt_s * self._approach_m_s * normal
        motion.v[:] = -self._approach_m_s * normal
        touched = self.force_N > max(_TOUCH_PART * self._force_N, _LEAST_TOUCH_N)
        if t_s > _TARE_S and touched:
            self.phase, self._t_s = PRESSES, 0.0
            motion.v[:] = 0.0
            self._middle[:] = motion.p
            stiffness = np.array([_ALONG_N_M, _ALONG_N_M, 0.0, *[_TURNING_NM_RAD] * 3])
            self._soft.set_spring(stiffness, 1.0, GIVEN_AXES, _POSTURE_NM_RAD, at_once=True)
            self._damping[2] = _NORMAL_NS_M
            self._soft.set_damping(self._damping)
            return
        self._air_N += min(dt_s / min(max(t_s, dt_s), _TARE_MEAN_S), 1.0) * (raw_N - self._air_N)

    def _press(self, dt_s: float, raw_N: float) -> None:
        self._t_s += dt_s
        self.force_N = raw_N - self._air_N
        rise = min(self._t_s / _RISE_S, 1.0)
        wanted_N = self._force_N * (_TOUCH_PART + (1.0 - _TOUCH_PART) * rise)
        most_N = _MOST_CORRECTION_N + _MOST_CORRECTION_PART * self._force_N
        felt = self._wrist is not None and self._wrist.live
        rate = _FELT_PER_S if felt else _INTEGRAL_PER_S
        change = rate * dt_s * (wanted_N - self.force_N)
        self._correction_N = min(max(self._correction_N + change, -most_N), most_N)
        self._wrench[2] = -wanted_N - self._correction_N
        self._circle()

    def _circle(self) -> None:
        """Writes position and velocity of the reference along the surface."""
        motion, A, w, t = self._soft.motion, self._A, self._omega, self._t_s - _RISE_S
        if not self._radius_m or t < 0.0:
            return
        ramp, slope, _ = minimum_jerk(t / _CIRCLE_RISE_S)
        radius, rate = self._radius_m * ramp, self._radius_m * slope / _CIRCLE_RISE_S
        c, s = math.cos(w * t), math.sin(w * t)
        motion.p[:] = self._middle + A[:, 0] * (radius * c) + A[:, 1] * (radius * s)
        motion.v[:] = A[:, 0] * (rate * c - radius * w * s) + A[:, 1] * (rate * s + radius * w * c)
