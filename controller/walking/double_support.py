"""Double support: the zero-moment point moves from the foot that leaves next to the other foot."""

from __future__ import annotations

import math

from kilohertz.controller.walking.dcm_plan import DcmPlan, Point
from kilohertz.controller.walking.pendulum import dcm_before_hold


class DoubleSupport:
    """Motion of the zero-moment point to the foot that carries the robot next.

    Attributes:
        hold_s: time for which the zero-moment point rests at its start [s].
        whole_s: duration of the double support, including `hold_s` [s].
        part: fraction of the motion that is done, 0 to 1.
    """

    def __init__(self) -> None:
        self._from: Point = (0.0, 0.0)
        self.hold_s = self.whole_s = self.part = 0.0

    def begin(self, z_from: Point, duration_s: float, hold_s: float = 0.0) -> None:
        """Starts a double support.

        Args:
            z_from: zero-moment point at the start [m].
            duration_s: time in which the zero-moment point moves to its end [s].
            hold_s: time for which it rests at z_from before [s].
        """
        self._from, self.hold_s, self.whole_s = z_from, hold_s, hold_s + duration_s

    def advance(self, t_s: float, to: Point, plan: DcmPlan, xi_end: Point) -> tuple[Point, Point]:
        """Computes the planned DCM and zero-moment point of this tick, and updates `part`.

        Args:
            t_s: time since the double support began [s].
            to: zero-moment point at the end of the double support [m].
            plan: plan of the DCM.
            xi_end: DCM at the end of the double support [m].

        Returns:
            The planned DCM and the zero-moment point at t_s [m].
        """
        held, moves_s = self.hold_s - t_s, self.whole_s - self.hold_s
        self.part = part = min(max(-held / moves_s, 0.0), 1.0)
        a = self._from
        z = (a[0] + part * (to[0] - a[0]), a[1] + part * (to[1] - a[1]))
        xi = plan.in_transfer(z, to, min(self.whole_s - t_s, moves_s), xi_end)
        if held > 0.0:
            decay = math.exp(-plan.omega * held)
            xi = dcm_before_hold(xi[0], a[0], decay), dcm_before_hold(xi[1], a[1], decay)
        return xi, z
