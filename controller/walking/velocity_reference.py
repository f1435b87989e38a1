"""Velocity reference: the commanded velocity, ramped, and corrected for drift from the commanded path.

The ramped velocity is integrated to the reference pose of the robot. The steps correct the deviation from
that pose slowly. If a push moves the robot far off the path, the reference moves with the robot, which does
not walk back to the old path.
"""

from __future__ import annotations

import math

_FORWARD_M_S2, _SIDEWAYS_M_S2, _TURN_RAD_S2 = 0.4, 0.3, 0.6
_RATE_PER_S, _TURN_RATE_PER_S = 0.5, 0.8
_MOST_M_S, _MOST_RAD_S = 0.06, 0.15
_LEASH_M, _LEASH_RAD = 0.12, 0.2
_STEADY = 0.05
"""Largest difference of each component from the commanded velocity [m/s], [rad/s] of a steady walk."""


def _towards(now: float, asked: float, most: float) -> float:
    return now + min(max(asked - now, -most), most)


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
    """

    def __init__(self, eager: float = 1.0) -> None:
        self._rate_per_s, self._most_m_s = eager * _RATE_PER_S, eager * _MOST_M_S
        self.velocity = (0.0, 0.0, 0.0)
        self.steps = (0.0, 0.0, 0.0)
        self.asked = (0.0, 0.0, 0.0)
        self._correction = self._steady_at = (0.0, 0.0, 0.0)
        self.x = self.y = self.yaw = 0.0
        self.fastest_m_s = math.inf

    def begin(self, x: float, y: float, yaw: float) -> None:
        """Starts at rest at this pose in the world [m], [rad]."""
        self.velocity = self.steps = self.asked = self._correction = (0.0, 0.0, 0.0)
        self.x, self.y, self.yaw = x, y, yaw

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

    def advance(self, dt_s: float) -> None:
        """Advances the ramped velocity and the reference pose by one tick of dt_s [s]."""
        asked, more = self.asked, self._correction
        slower = min(1.0, self.fastest_m_s / max(math.hypot(asked[0], asked[1]), 1e-9))
        if slower < 1.0 or self.velocity != asked:
            f, left, turn = self.velocity
            f = _towards(f, slower * asked[0], _FORWARD_M_S2 * dt_s)
            left = _towards(left, slower * asked[1], _SIDEWAYS_M_S2 * dt_s)
            self.velocity = f, left, _towards(turn, asked[2], _TURN_RAD_S2 * dt_s)
        f, left, turn = self.velocity
        self.steps = (f + more[0], left + more[1], turn + more[2])
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        self.x += (c * f - s * left) * dt_s
        self.y += (s * f + c * left) * dt_s
        self.yaw += turn * dt_s

    def correct(self, x: float, y: float, yaw: float) -> None:
        """Updates the corrections from the measured pose of the robot; called when a foot lands.

        Args:
            x: middle of the feet in the world [m].
            y: middle of the feet in the world [m].
            yaw: mean yaw of the feet [rad].
        """
        dx, dy = self.x - x, self.y - y
        off = math.hypot(dx, dy)
        if off > _LEASH_M:
            dx, dy = dx * _LEASH_M / off, dy * _LEASH_M / off
            self.x, self.y = x + dx, y + dy
        turned = min(max(self.yaw - yaw, -_LEASH_RAD), _LEASH_RAD)
        self.yaw = yaw + turned
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        ahead, left = self._rate_per_s * (c * dx + s * dy), self._rate_per_s * (c * dy - s * dx)
        self._correction = (
            min(max(ahead, -self._most_m_s), self._most_m_s),
            min(max(left, -self._most_m_s), self._most_m_s),
            min(max(_TURN_RATE_PER_S * turned, -_MOST_RAD_S), _MOST_RAD_S),
        )
