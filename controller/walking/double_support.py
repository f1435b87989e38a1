"""Both feet down: the zero-moment point goes over from the foot that will leave to the other one."""

from __future__ import annotations

import math

from kilohertz.controller.walking.dcm_plan import DcmPlan, Point
from kilohertz.controller.walking.pendulum import dcm_before_hold


class DoubleSupport:
    """Way of the zero-moment point to the foot that carries the robot next.

    Attributes:
        whole_s: duration, with what it waits at first.
        part: of that way that is done.
    """

    def __init__(self) -> None:
        self._from: Point = (0.0, 0.0)
        self.hold_s = self.whole_s = self.part = 0.0

    def begin(self, z_from: Point, duration_s: float, hold_s: float = 0.0) -> None:
        """After hold_s the zero-moment point leaves z_from, and has arrived duration_s later."""
        self._from, self.hold_s, self.whole_s = z_from, hold_s, hold_s + duration_s

    def advance(self, t_s: float, to: Point, plan: DcmPlan, xi_end: Point) -> tuple[Point, Point]:
        """Moves on.

        Args:
            t_s: since it began.
            to: where the zero-moment point comes to.
            plan: of the DCM.
            xi_end: the DCM as the transfer ends.

        Returns:
            The DCM and the zero-moment point now.
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
