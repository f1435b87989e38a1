"""Force with which two hands press on a load that both hold: it is controlled, and not cancelled.

Two arms and a load are a closed chain. If the hands hold their poses stiffly, any error of their relative
pose forces them against each other, and a disturbance observer in each arm would cancel that force as one
cancels an error, until a joint is at its limit. So the wrenches of the hands are split into the part that
moves the load and the internal part. The observer goes on cancelling the first, and with it the weight of the
load. The internal part is left in place, where the hands give way as their tasks are stiff, and its mean is
brought to the force that is asked for.

The internal part of the wrenches of the load on the hands A and B, at +r and -r from their middle, is a force
f and a moment m:

    w_A = (f, m - r x f),   w_B = (-f, -m - r x f)

which adds up to nothing on the load. It is f = (f_A - f_B) / 2, m = (m_A - m_B) / 2: a load that both hands
carry equally leaves both zero.

Source: Williams, Khatib, "The virtual linkage: a model for internal forces in multi-grasp manipulation", ICRA
1993; Walker, Freeman, Marcus, "Analysis of motion and internal loading of objects grasped by multiple
cooperating manipulators", Int. J. Robotics Research 1991 (equal shares).
"""

from __future__ import annotations

import numpy as np

from kilohertz.robots.model.kin import ANGULAR, Kin
from kilohertz.robots.model.rows import Vector

PAIR = 2
"""Number of hands that hold a load."""
_PART = 6
_PER_S = 3.0
"""Rate at which an error of the internal force is taken out [1/s]."""
_MOST_N, _MOST_NM, _MOST_PART = 20.0, 4.0, 0.5
"""Largest corrections of force and moment, and part of the desired force that is added to the first."""
_TARE_S = 0.15
"""Time constant of the mean of what the observer shows before the hands hold a load [s]."""
_RISE_N_S = 40.0
"""Rate at which the desired force changes [N/s]."""
_FADE_S = 0.1
"""Time in which the control begins and ends, so that no torque jumps [s]."""
_DAMPING = 1e-4
"""Added to J J' [m^2], so that the wrenches are defined in a singularity."""

OFF, TARES, CONTROLS, FADES = range(4)
"""The force is not computed; its mean without a load is measured; it is controlled; the control ends."""


class InternalForce:
    """Controls the force with which two hands press on a load.

    Args:
        kin: kinematics of the tick; `h` is changed.
        frames: indices of the frames of both hands in `Kin`.
        unknown_Nm: (n,) torques that the disturbance observer sees, and cancels [Nm]; persistent.

    Attributes:
        x: (6,) internal force f [N] and moment m [Nm] of the load on the hands, in world axes, relative to
            what the observer showed when the control began.
        squeeze_N: force with which the hands press on the load along the line between them [N].
    """

    def __init__(self, kin: Kin, frames: tuple[int, ...], unknown_Nm: Vector) -> None:
        self._kin, self._frames, self._unknown = kin, frames[:PAIR], unknown_Nm
        self._J = np.zeros((2 * _PART, len(unknown_Nm)))
        self._V = np.zeros((2 * _PART, _PART))
        self._V[:3, :3] = self._V[3:6, 3:6] = np.eye(3)
        self._V[6:9, :3] = self._V[9:, 3:] = -np.eye(3)
        self._grown = np.zeros((2 * _PART, 2 * _PART))
        self._free, self._correction, self._wanted = (np.zeros(_PART) for _ in range(3))
        self._most = np.zeros(_PART)
        self.x = np.zeros(_PART)
        self.squeeze_N = self._goal_N = 0.0
        self._state = OFF
        self._age_s = self._share = 0.0

    @property
    def active(self) -> bool:
        """Whether the internal force is controlled."""
        return self._state == CONTROLS

    def reset(self) -> None:
        """Ends the control at once, for an arm at rest."""
        self._state = OFF

    def tare(self) -> None:
        """Begins to measure what the observer shows without a load; ends the control of one that is held."""
        if self._state == OFF:
            self._state, self._age_s = TARES, 0.0
        else:
            self.stop()

    def start(self, squeeze_N: float) -> None:
        """Begins to control the internal force, or changes the desired one.

        Args:
            squeeze_N: force with which the hands press on the load [N].
        """
        if self._state in (OFF, TARES):
            self._age_s = self._age_s if self._state == TARES else 0.0
            self.squeeze_N = self._share = 0.0
            self._correction[:] = 0.0
        self._state, self._goal_N = CONTROLS, squeeze_N
        self._most[:3], self._most[3:] = _MOST_N + _MOST_PART * squeeze_N, _MOST_NM

    def stop(self) -> None:
        """Ends the control gradually: the internal force counts as a disturbance again."""
        self._state = FADES if self._state in (CONTROLS, FADES) else OFF

    def advance(self, dt_s: float) -> None:
        """Updates the internal force, and the torques of this tick; after the observer has compensated.

        Args:
            dt_s: time since the last tick [s].
        """
        if self._state == OFF:
            return
        away = self._measure()
        if self._state == TARES or self._age_s == 0.0:
            self._age_s += dt_s
            self._free += min(dt_s / min(max(self._age_s, 1e-6), _TARE_S), 1.0) * (self.x - self._free)
        self.x -= self._free
        if self._state == TARES:
            return
        fade = dt_s / _FADE_S
        self._share = min(self._share + fade, 1.0) if self.active else max(self._share - fade, 0.0)
        if self._share == 0.0 and not self.active:
            self._state = OFF
            return
        step = _RISE_N_S * dt_s
        self.squeeze_N += min(max(self._goal_N - self.squeeze_N, -step), step)
        # The load pushes the hands away from each other.
        self._wanted[:3] = self.squeeze_N * away
        self._correction += _PER_S * dt_s * (self._wanted - self.x)
        np.clip(self._correction, -self._most, self._most, out=self._correction)
        h = self._kin.h
        h += self._J.T @ (self._V @ (self._share * (self.x - self._wanted - self._correction)))

    def _measure(self) -> Vector:
        """Updates `x` and the split; returns the direction from the middle to the first hand."""
        kin, J, V = self._kin, self._J, self._V
        first, second = self._frames
        for i, frame in enumerate(self._frames):
            R, at = kin.R[frame], _PART * i
            np.dot(R, kin.J[frame, :ANGULAR], out=J[at : at + 3])
            np.dot(R, kin.J[frame, ANGULAR:], out=J[at + 3 : at + _PART])
        r = 0.5 * (kin.p[first] - kin.p[second])
        # Minus the cross product with r, for both moments.
        for c, (a, b) in enumerate(((1, 2), (2, 0), (0, 1))):
            for at in (3, 9):
                V[at + a, b], V[at + b, a] = r[c], -r[c]
        np.dot(J, J.T, out=self._grown)
        self._grown.flat[:: 2 * _PART + 1] += _DAMPING
        w = np.linalg.solve(self._grown, J @ self._unknown)
        self.x[:] = 0.5 * (w[:_PART] - w[_PART:])
        away: Vector = r / max(float(np.sqrt(r @ r)), 1e-9)
        return away
