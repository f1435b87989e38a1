"""Admittance: a hand moves under the forces on it like a body of a given mass, with a damper and a spring.

The measured wrench decides the acceleration that is asked for, per axis of a frame A:

    a = (F - D v - K x) / m

with the velocity v of the hand and its displacement x from where it was at the beginning. Both are measured:
there is no reference that could run away from a hand that is in contact. The disturbance observer of the arm
makes the hand accelerate just like that, against friction and errors of the model, and cancels the measured
wrench meanwhile. It follows with a rate of its own, so that the part of the wrench which it does not know yet
is cancelled here.

What is measured is late, and so is the torque that answers it. A lead takes most of this out. If the
acceleration answers a force that is late by T, a mass m looks damped by -m w^2 T at the frequency w. If the
cancelled force is late, by m w^2 T m / m_H with the mass m_H of the hand itself, which the part that is not
cancelled moves.

In contact with a stiff surface the delay that is left damps the motion if the mass is larger than that of the
hand itself, J M^-1 J', and feeds it if it is smaller.

Source: Hogan, "Impedance control: an approach to manipulation", J. Dynamic Systems, Measurement and Control
1985; Colgate, Hogan, "The interaction of robots with passive environments: application to force feedback
control", Advanced Robotics 1989 (a mass below the own one is not passive).
"""

from __future__ import annotations

import numpy as np

from kilohertz.controller.upper_body.hand_motion import HandMotion
from kilohertz.robots.model.kin import ANGULAR, Kin
from kilohertz.robots.model.rows import Vector

_SIX = 6
_WORLD = np.eye(3)
_TARE_S = 0.25
"""Time at the beginning in which the hand rests, and the mean wrench is taken off as an error [s]."""
_REST_PER_S = 300.0
"""Rate of what is left of the delay after the lead [1/s]."""
_HEARD_S = 0.0025
"""Delay by which the disturbance observer knows a force earlier than the wrench without the lead does, beside
the time constant of this wrench [s]."""
_ANSWER_S = 0.0036
"""Delay of the torque that answers a force, which the lead takes out too [s]."""
_MOST_M_S2, _MOST_RAD_S2 = 8.0, 40.0
"""Largest accelerations that are asked for."""
_BRAKE_NS_M = 300.0
"""Force over the speed that exceeds the limit [Ns/m]."""


class Admittance:
    """Leads a hand like a virtual body, from the wrench on it.

    Args:
        kin: kinematics of the tick; `h` is changed.
        frame: index of the hand's frame in `Kin`.
        motion: reference of the hand, which this writes.
        w_H: (6,) force [N] and moment about the hand's origin [Nm] on the hand, in its axes; persistent.
        late_per_s: rate at which this wrench follows the true one [1/s].

    Attributes:
        w_A: (6,) wrench to which the hand answers, in the axes A.
    """

    def __init__(
        self,
        kin: Kin,
        frame: int,
        motion: HandMotion,
        w_H: Vector,
        late_per_s: float,
    ) -> None:
        self._kin, self._frame, self._motion, self._w_H = kin, frame, motion, w_H
        self._lead_s, self._observer_per_s = 1.0 / late_per_s + _HEARD_S, 0.0
        self._A, self._p, self._R = np.eye(3), np.zeros(3), np.eye(3)
        self._law = np.ones((3, _SIX))
        self._least = np.zeros(_SIX)
        self._speed_m_s = 1.0
        self._error, self._low, self._seen = (np.zeros(_SIX) for _ in range(3))
        self._x, self._v = np.zeros(_SIX), np.zeros(_SIX)
        self.w_A = np.zeros(_SIX)

    def start(
        self,
        law: Vector,
        least: Vector,
        speed_m_s: float,
        observer_per_s: float,
        *,
        own_axes: bool,
        turns: bool,
    ) -> None:
        """Begins at the present pose of the hand, which must be free.

        Args:
            law: (3, 6) masses [kg, kgm^2], dampings [Ns/m, Nms/rad] and stiffnesses [N/m, Nm/rad] of the
                axes.
            least: (6,) forces [N] and moments [Nm] that count as none.
            speed_m_s: speed of the hand above which it is braked [m/s].
            observer_per_s: rate of the arm's disturbance observer [1/s].
            own_axes: whether the axes are those of the hand at the beginning; else those of the world.
            turns: whether the hand may turn; else it keeps its orientation.
        """
        kin, frame = self._kin, self._frame
        self._law[:], self._least[:], self._speed_m_s, self._turns = law, least, speed_m_s, turns
        self._observer_per_s = observer_per_s
        self._p[:], self._R[:] = kin.p[frame], kin.R[frame]
        self._A[:] = self._R if own_axes else _WORLD
        self._age_s = 0.0
        for array in (self._error, self._low, self._seen, self.w_A):
            array[:] = 0.0

    def own_mass_kg(self) -> Vector:
        """Returns the (3,) masses of the hand itself along the axes [kg]."""
        kin, frame = self._kin, self._frame
        M = np.triu(kin.M) + np.triu(kin.M, 1).T
        J = self._A.T @ kin.R[frame] @ kin.J[frame, :ANGULAR]
        mass: Vector = 1.0 / np.diag(J @ np.linalg.solve(M, J.T))
        return mass

    def advance(self, dt_s: float) -> None:
        """Writes the reference of the hand for this tick, after the observer has compensated.

        Args:
            dt_s: time since the last tick [s].
        """
        kin, frame, motion, A = self._kin, self._frame, self._motion, self._A
        R = kin.R[frame]
        turn = A.T @ R
        self._age_s += dt_s
        if self._age_s < _TARE_S:
            self._error += dt_s / max(self._age_s, dt_s, 1e-6) * (self._w_H - self._error)
            return
        self._hear(dt_s, turn)
        self._v[:3], self._v[3:] = turn @ kin.vel[frame, :ANGULAR], turn @ kin.vel[frame, ANGULAR:]
        self._x[:3] = A.T @ (kin.p[frame] - self._p)
        mass, damping, stiffness = self._law
        if self._turns:
            self._x[3:] = A.T @ _rotation(R @ self._R.T)
        a = self.w_A - damping * self._v - stiffness * self._x
        speed = float(np.sqrt(self._v[:3] @ self._v[:3]))
        if speed > self._speed_m_s:
            a[:3] -= _BRAKE_NS_M * (1.0 - self._speed_m_s / speed) * self._v[:3]
        a /= mass
        np.clip(a[:3], -_MOST_M_S2, _MOST_M_S2, out=a[:3])
        np.clip(a[3:], -_MOST_RAD_S2, _MOST_RAD_S2, out=a[3:])
        motion.p[:], motion.v[:], motion.a[:] = kin.p[frame], A @ self._v[:3], A @ a[:3]
        if self._turns:
            motion.R[:], motion.w[:], motion.wdot[:] = R, A @ self._v[3:], A @ a[3:]

    def _hear(self, dt_s: float, turn: Vector) -> None:
        """Updates the wrench to answer, and cancels the part of it that the observer does not know yet.

        Args:
            dt_s: time since the last tick [s].
            turn: (3, 3) axes of the hand in A.
        """
        kin, frame = self._kin, self._frame
        raw = self._w_H - self._error
        # The lead (1 + T s) / (1 + s / rate), as a sum of the value and of its low pass.
        rate = _REST_PER_S
        self._low += rate * dt_s / (1.0 + rate * dt_s) * (raw - self._low)
        change = rate * (raw - self._low)
        heard = self._low + self._lead_s * change
        fast = heard + _ANSWER_S * change
        follow = self._observer_per_s * dt_s / (1.0 + self._observer_per_s * dt_s)
        self._seen += follow * (heard - self._seen)
        J = kin.J[frame, : _SIX if self._turns else ANGULAR]
        h = kin.h
        h -= J.T @ (fast - self._seen)[: len(J)]
        self.w_A[:3], self.w_A[3:] = turn @ fast[:3], turn @ fast[3:]
        self.w_A -= np.clip(self.w_A, -self._least, self._least)


def _rotation(R: Vector) -> Vector:
    """Returns the (3,) rotation vector of a rotation [rad]; to be used below half a turn."""
    axis = 0.5 * np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    sine = float(np.sqrt(axis @ axis))
    angle = np.arctan2(sine, 0.5 * (R[0, 0] + R[1, 1] + R[2, 2] - 1.0))
    turned: Vector = axis * (angle / sine) if sine > 1e-9 else axis
    return turned
