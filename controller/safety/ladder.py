"""Fallbacks for ticks in which the QP has no solution: a ladder of five rungs; no exception is raised.

QP solved -> QP with softened limits -> last good acceleration through inverse dynamics (a few ticks)
-> gravity compensation and a posture spring -> damping, latched
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilohertz.controller.problem.tables import Solution
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats
from kilohertz.robots.model.period import PERIOD_S, ticks_of
from kilohertz.robots.model.rows import Vector

SOLVED, SOFTENED, LAST_GOOD, GRAVITY, DAMPING = range(5)
RUNGS = ("solved", "softened", "last good", "gravity compensation", "damping")

_LAST_GOOD_S, _GRAVITY_S = 0.005, 0.05
"""Time without a solution for which the last good one is used, and then gravity compensation [s]."""


class KeptSolution(NamedTuple):
    """The last good solution."""

    tau: Floats
    """(na,) torque of the tick [Nm]."""
    vdot: Floats
    """(nv,) acceleration [m/s^2, rad/s^2]."""
    wrench: Floats
    """(C, 6) contact wrenches in the contact frames [N, Nm]."""


class Ladder:
    """Selects the joint torque and the rung of the ladder from the result of each solve.

    Args:
        body: the whole-body controller.
        dt_s: nominal control period [s].

    Attributes:
        rung: rung of the last tick: SOLVED, SOFTENED, LAST_GOOD, GRAVITY or DAMPING.
        tau: (na,) torque of the last tick [Nm]; 0 on the damping rung.
        falls: number of consecutive ticks without a solution.
    """

    def __init__(self, body: WholeBody, dt_s: float = PERIOD_S) -> None:
        self._body = body
        self._last_good_ticks, self._gravity_ticks = ticks_of(_LAST_GOOD_S, dt_s), ticks_of(_GRAVITY_S, dt_s)
        solution = body.solution
        self.rung = SOLVED
        self.tau = np.zeros_like(solution.tau)
        self.falls = 0
        self._vdot = np.zeros_like(solution.vdot)
        self._wrench = np.zeros_like(solution.wrench)
        self._have_last = False
        self._keep = bind(
            "ladder_kernel",
            [keep_solution],
            call={},
            structs={"solution": solution, "kept": KeptSolution(self.tau, self._vdot, self._wrench)},
        )
        self._force = np.zeros_like(solution.vdot)
        self._part = np.zeros_like(solution.vdot)

    def reset(self) -> None:
        """Returns to the SOLVED rung and discards the last good solution; called when the robot is armed."""
        self.rung, self.falls, self._have_last = SOLVED, 0, False

    def step(self, solved: bool) -> int:
        """Sets `rung` and `tau` for this tick.

        Args:
            solved: whether the solution of the whole-body problem passed its check.

        Returns:
            The rung. On the gravity rung the caller sets the posture spring, which the drives themselves
            apply.
        """
        if self.rung == DAMPING:
            return DAMPING
        if solved or self._body.solve_softened():
            self.rung = rung = SOLVED if solved else SOFTENED
            self.falls = 0
            self._have_last = True
            self._keep()
            return rung
        self.falls += 1
        if self._have_last and self.falls <= self._last_good_ticks:
            self.rung = LAST_GOOD
            self._inverse_dynamics(self._vdot, self._wrench)
        elif self.falls <= self._last_good_ticks + self._gravity_ticks:
            self.rung = GRAVITY
            self._part[:] = 0.0
            self._inverse_dynamics(self._part, self._wrench)
        else:
            self.rung = DAMPING
            self.tau[:] = 0.0
        if not np.isfinite(self.tau).all():
            self.rung = DAMPING
            self.tau[:] = 0.0
        return self.rung

    def _inverse_dynamics(self, vdot: Vector, wrench: Vector) -> None:
        """Writes the joint rows of M vdot + h - J' w into `tau`."""
        kin, contacts = self._body.arrays.kin, self._body.arrays.contacts
        np.dot(kin.M, vdot, out=self._force)
        self._force += kin.h
        for c in range(len(contacts.offset)):
            if contacts.offset[c] >= 0:
                dim = int(contacts.dim[c])
                J = kin.J[contacts.frame[c], contacts.select[c, :dim]]
                self._force -= J.T @ wrench[c, :dim]
        self.tau[:] = self._force[self._body.robot.n_base :]


@kernel
def keep_solution(solution: Solution, kept: KeptSolution) -> None:
    """Copies the solution of this tick."""
    for j in range(len(kept.tau)):
        kept.tau[j] = solution.tau[j]
    for j in range(len(kept.vdot)):
        kept.vdot[j] = solution.vdot[j]
    for c in range(len(kept.wrench)):
        for r in range(6):
            kept.wrench[c, r] = solution.wrench[c, r]
