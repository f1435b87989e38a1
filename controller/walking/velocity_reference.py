"""Velocity reference: the commanded velocity, ramped, and corrected for drift from the commanded path.

The ramped velocity is integrated to the reference pose of the robot. The steps correct the deviation from
that pose slowly. If a push moves the robot far off the path, the reference moves with the robot, which does
not walk back to the old path.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import exact_kernel
from kilohertz.robots.model.kin import Floats

_FORWARD_M_S2, _SIDEWAYS_M_S2, _TURN_RAD_S2 = 0.4, 0.3, 0.6
_RATE_PER_S, _TURN_RATE_PER_S = 0.5, 0.8
_MOST_M_S, _MOST_RAD_S = 0.06, 0.15
_LEASH_M, _LEASH_RAD = 0.12, 0.2
_STEADY = 0.05
"""Largest difference of each component from the commanded velocity [m/s], [rad/s] of a steady walk."""


Velocity = tuple[float, float, float]
"""Forward, to the left [m/s] and turning [rad/s]."""
AHEAD, LEFT, TURN = range(3)
"""Indices of a velocity, and of the place x, y, yaw to which it leads."""
ASKED_M_S, FASTEST_M_S = range(2)
"""Indices of `VelocityArrays.speed`: speed of the command, and the limit on the speed."""


class VelocityArrays(NamedTuple):
    """The velocity reference as arrays, for compiled code."""

    asked: Floats
    """(3,) commanded velocity."""
    velocity: Floats
    """(3,) ramped velocity without corrections."""
    correction: Floats
    """(3,) velocity that is added to lead the robot back to the reference pose."""
    steps: Floats
    """(3,) ramped velocity with corrections, with which the footsteps are planned."""
    pose: Floats
    """(3,) reference pose of the robot in the world: x, y [m], yaw [rad]."""
    speed: Floats
    """(2,) horizontal speeds, indexed by ASKED_M_S and FASTEST_M_S [m/s]."""


def _tuple_of(vector: Floats) -> Velocity:
    ahead, left, turn = vector.tolist()
    return ahead, left, turn


class VelocityReference:
    """Reference pose of the robot, and the velocity of the steps that lead to it.

    Args:
        eager: factor on the rate and the largest speed of corrections; 1 for a robot on soles.

    Attributes:
        velocity: ramped velocity without corrections: forward, to the left [m/s] and turning [rad/s].
        steps: ramped velocity with corrections, with which the footsteps are planned.
        asked: commanded velocity.
        fastest_m_s: limit on the horizontal speed [m/s]; a faster command is scaled down to it.
        x, y, yaw: reference pose of the robot in the world [m], [rad].
        arrays: all of these as arrays.
        advance: kernel that advances the ramped velocity and the reference pose by one tick; see
            `advance_velocity`.
    """

    def __init__(self, eager: float = 1.0) -> None:
        self._rate_per_s, self._most_m_s = eager * _RATE_PER_S, eager * _MOST_M_S
        asked, velocity, correction, steps, pose = np.zeros((5, 3))
        speed = np.array([0.0, math.inf])
        self.arrays = VelocityArrays(asked, velocity, correction, steps, pose, speed)
        self._steady_at = (0.0, 0.0, 0.0)
        self.advance = bind(
            "velocity_reference_kernel",
            [advance_velocity],
            call={"dt_s": "f8"},
            structs={"reference": self.arrays},
        )

    @property
    def velocity(self) -> Velocity:
        """Ramped velocity without corrections."""
        return _tuple_of(self.arrays.velocity)

    @velocity.setter
    def velocity(self, velocity: Velocity) -> None:
        self.arrays.velocity[:] = velocity

    @property
    def steps(self) -> Velocity:
        """Ramped velocity with corrections, with which the footsteps are planned."""
        return _tuple_of(self.arrays.steps)

    @steps.setter
    def steps(self, velocity: Velocity) -> None:
        self.arrays.steps[:] = velocity

    @property
    def asked(self) -> Velocity:
        """Commanded velocity."""
        return _tuple_of(self.arrays.asked)

    @asked.setter
    def asked(self, velocity: Velocity) -> None:
        self.arrays.asked[:] = velocity
        self.arrays.speed[ASKED_M_S] = math.hypot(velocity[AHEAD], velocity[LEFT])

    @property
    def fastest_m_s(self) -> float:
        """Limit on the horizontal speed [m/s]; a faster command is scaled down to it."""
        return float(self.arrays.speed[FASTEST_M_S])

    @property
    def x(self) -> float:
        """X of the reference pose in the world [m]."""
        return float(self.arrays.pose[AHEAD])

    @property
    def y(self) -> float:
        """Y of the reference pose in the world [m]."""
        return float(self.arrays.pose[LEFT])

    @property
    def yaw(self) -> float:
        """Yaw of the reference pose in the world [rad]."""
        return float(self.arrays.pose[TURN])

    def begin(self, x: float, y: float, yaw: float) -> None:
        """Starts at rest at this pose in the world [m], [rad]."""
        self.velocity = self.steps = self.asked = (0.0, 0.0, 0.0)
        self.arrays.correction[:] = 0.0
        self.arrays.pose[:] = x, y, yaw

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Sets the commanded velocity, expressed in the heading of the reference pose."""
        self.asked = (forward_m_s, left_m_s, turn_rad_s)

    def fade(self, velocity: tuple[float, float, float], fraction: float) -> None:
        """Reduces the velocity to a fraction of the given one, more quickly than a command is followed.

        For a commander that has gone silent; the velocity is never raised.

        Args:
            velocity: velocity at the beginning of the silence.
            fraction: fraction of it that is left, in [0, 1].
        """
        f, left, turn = (
            min(max(now, -abs(fraction * before)), abs(fraction * before))
            for now, before in zip(self.velocity, velocity, strict=True)
        )
        self.velocity = self.asked = (f, left, turn)

    @property
    def resting(self) -> bool:
        """True if both the commanded and the ramped velocity are zero."""
        return self.asked == (0.0, 0.0, 0.0) == self.velocity

    def follows_steadily(self) -> bool:
        """Returns whether the ramped velocity is as commanded, or as close to it as makes no other gait.

        False once when the command has drifted away from what it was at the last such time.
        """
        if max(abs(now - then) for now, then in zip(self.asked, self._steady_at, strict=True)) > _STEADY:
            self._steady_at = self.asked
            return False
        (forward, left, turn), (now_forward, now_left, now_turn) = self.asked, self.velocity
        slower = min(1.0, self.fastest_m_s / max(math.hypot(forward, left), 1e-9))
        off_m_s = max(abs(slower * forward - now_forward), abs(slower * left - now_left))
        return off_m_s <= _STEADY and abs(turn - now_turn) <= _STEADY

    def correct(self, x: float, y: float, yaw: float) -> None:
        """Updates the corrections from the measured pose of the robot; called when a foot lands.

        Args:
            x: middle of the feet in the world [m].
            y: middle of the feet in the world [m].
            yaw: mean yaw of the feet [rad].
        """
        pose = self.arrays.pose
        dx, dy = self.x - x, self.y - y
        off = math.hypot(dx, dy)
        if off > _LEASH_M:
            dx, dy = dx * _LEASH_M / off, dy * _LEASH_M / off
            pose[AHEAD], pose[LEFT] = x + dx, y + dy
        turned = min(max(self.yaw - yaw, -_LEASH_RAD), _LEASH_RAD)
        pose[TURN] = yaw + turned
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        ahead, left = self._rate_per_s * (c * dx + s * dy), self._rate_per_s * (c * dy - s * dx)
        self.arrays.correction[:] = (
            min(max(ahead, -self._most_m_s), self._most_m_s),
            min(max(left, -self._most_m_s), self._most_m_s),
            min(max(_TURN_RATE_PER_S * turned, -_MOST_RAD_S), _MOST_RAD_S),
        )


@exact_kernel
def _towards(now: float, asked: float, most: float) -> float:
    """Returns a value that has moved from `now` towards `asked`, by `most` or less."""
    return now + min(max(asked - now, -most), most)


@exact_kernel
def advance_velocity(dt_s: float, reference: VelocityArrays) -> None:
    """Advances the ramped velocity and the reference pose by one tick of dt_s [s]."""
    asked, velocity, pose = reference.asked, reference.velocity, reference.pose
    slower = min(1.0, reference.speed[FASTEST_M_S] / max(reference.speed[ASKED_M_S], 1e-9))
    reached = velocity[AHEAD] == asked[AHEAD] and velocity[LEFT] == asked[LEFT]
    if slower < 1.0 or not (reached and velocity[TURN] == asked[TURN]):
        velocity[AHEAD] = _towards(velocity[AHEAD], slower * asked[AHEAD], _FORWARD_M_S2 * dt_s)
        velocity[LEFT] = _towards(velocity[LEFT], slower * asked[LEFT], _SIDEWAYS_M_S2 * dt_s)
        velocity[TURN] = _towards(velocity[TURN], asked[TURN], _TURN_RAD_S2 * dt_s)
    for i in range(3):
        reference.steps[i] = velocity[i] + reference.correction[i]
    c, s = math.cos(pose[TURN]), math.sin(pose[TURN])
    pose[AHEAD] += (c * velocity[AHEAD] - s * velocity[LEFT]) * dt_s
    pose[LEFT] += (s * velocity[AHEAD] + c * velocity[LEFT]) * dt_s
    pose[TURN] += velocity[TURN] * dt_s
