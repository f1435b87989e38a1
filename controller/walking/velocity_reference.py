"""The course: velocity as asked, ramped, and corrected so that a straight line is straight.

The asked velocity is integrated to where the robot should be; the distance from there is taken back
slowly, through the steps. A push off that line moves the reference along with the
robot, which does not walk back to it.
"""

from __future__ import annotations

import math

_FORWARD_M_S2, _SIDEWAYS_M_S2, _TURN_RAD_S2 = 0.4, 0.3, 0.6
_RATE_PER_S, _TURN_RATE_PER_S = 0.5, 0.8
_MOST_M_S, _MOST_RAD_S = 0.06, 0.15
_LEASH_M, _LEASH_RAD = 0.12, 0.2


def _towards(now: float, asked: float, most: float) -> float:
    return now + min(max(asked - now, -most), most)


class VelocityReference:
    """Where the robot should be, and how fast its steps should go to get there.

    Args:
        eager: rate and largest speed of corrections, over those of a robot on soles.

    Attributes:
        velocity: forward, to the left [m/s], turning [rad/s]: ramped, without corrections.
        steps: the same with corrections; what footsteps are planned with.
        asked: the velocity as asked.
        fastest_m_s: what is asked beyond this is walked at this.
        x, y, yaw: where the robot should be [m], [rad].
    """

    def __init__(self, eager: float = 1.0) -> None:
        self._rate_per_s, self._most_m_s = eager * _RATE_PER_S, eager * _MOST_M_S
        self.velocity = (0.0, 0.0, 0.0)
        self.steps = (0.0, 0.0, 0.0)
        self.asked = (0.0, 0.0, 0.0)
        self._correction = (0.0, 0.0, 0.0)
        self.x = self.y = self.yaw = 0.0
        self.fastest_m_s = math.inf

    def begin(self, x: float, y: float, yaw: float) -> None:
        """Starts at rest in this pose."""
        self.velocity = self.steps = self.asked = self._correction = (0.0, 0.0, 0.0)
        self.x, self.y, self.yaw = x, y, yaw

    def ask(self, forward_m_s: float, left_m_s: float, turn_rad_s: float) -> None:
        """Asks for a velocity in the heading of the velocity reference."""
        self.asked = (forward_m_s, left_m_s, turn_rad_s)

    @property
    def resting(self) -> bool:
        """Whether nothing is asked and nothing is left of what was."""
        return self.asked == (0.0, 0.0, 0.0) == self.velocity

    def advance(self, dt_s: float) -> None:
        """Moves on by one tick."""
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
        """Compares with where the robot is: the middle of its feet as one lands, [m], [rad]."""
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
