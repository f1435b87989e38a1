"""DAQP, a dense dual active-set solver, for softened problems and those that the compiled solver fails on."""

from __future__ import annotations

import daqp
import numpy as np

from kilohertz.controller.problem.clear_arrays import ACTIVE
from kilohertz.controller.problem.tables import RES_BASE, RES_CONE, RES_FINITE, Arrays
from kilohertz.controller.qp.exact_assembly import N_CONE, N_MOTION, N_ROWS, SOFTENED, ExactArrays, N
from kilohertz.controller.qp.stages import DAQP_ASSEMBLY, DAQP_FINISH, NOTHING, ROWS, Run
from kilohertz.controller.qp.tolerances import Tolerances
from kilohertz.robots.model.kin import NV_BASE, Ints

_SOLVED, _SOLVED_SOFT = 1, 2
_EQUALITY, _SOFT = 5, 8


def exact_arrays(arrays: Arrays) -> ExactArrays:
    """Allocates the memory of the reduced problem, for all contacts closed at once."""
    nv, nb = len(arrays.kin.v), int(arrays.kin.size[NV_BASE])
    na = nv - nb
    n = na + int(arrays.contacts.dim.sum())
    rows = int(arrays.contacts.dim.sum() + arrays.contacts.n_rows.sum()) + na
    rows += arrays.solution.y_inequality.size
    return ExactArrays(
        size=np.zeros(5, np.int64),
        H=np.zeros(n * n),
        f=np.zeros(n),
        C=np.zeros(rows * n),
        lower=np.zeros(na + rows),
        upper=np.zeros(na + rows),
        x0=np.zeros(n),
        sigma=np.zeros(n),
        K=np.zeros((6, n + 1)),
        L=np.zeros((6, 6)),
        G=np.zeros((6, n + 1)),
        row=np.zeros(n),
        work=np.zeros(6),
    )


class DaqpBackend:
    """Solves the tick's problem with DAQP.

    Args:
        arrays: the shared tables.
        problem: memory of the reduced problem.
        write_rows: compiled stages of the tick, of which ROWS is used.
        run: compiled stages of DAQP.
        table: table of all arrays, for both.
        tolerances: largest residuals of a solved tick.
    """

    name = "daqp"

    def __init__(
        self,
        arrays: Arrays,
        problem: ExactArrays,
        write_rows: Run,
        run: Run,
        table: Ints,
        tolerances: Tolerances,
    ) -> None:
        self._arrays = arrays
        self._problem = problem
        self._write_rows, self._run, self._table = write_rows, run, table
        self._tolerances = tolerances
        rows = len(problem.lower)
        self._sense = np.zeros(rows, np.int32)
        self._z = np.zeros(len(problem.f))
        self._y = np.zeros(rows)
        self._contact_lower = np.zeros_like(arrays.contacts.lower)
        self.iterations = 0

    def prepare(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Does nothing: the reduced problem is dense, and its size may change each tick at little cost."""

    def assemble(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Writes the problem of this tick."""
        self._problem.size[SOFTENED] = 0
        self._write_rows(ROWS, self._table, NOTHING, NOTHING)
        self._run(DAQP_ASSEMBLY, self._table, NOTHING, NOTHING)

    def solve(self) -> bool:
        """Solves the problem of this tick and writes the solution.

        Torque limits, barriers and declared inequalities are added in a second solve if the first violates
        them.

        Returns:
            True if the solution is finite, and dynamics, contact motion and wrench cones are within
            tolerance.
        """
        self.iterations = 0
        na = len(self._arrays.solution.tau)
        p = self._problem
        solved = self._call(na, na + int(p.size[N_MOTION] + p.size[N_CONE]))
        if solved and not self._tolerances.limits_ok(self._arrays.solution.residual):
            # The limits are not tightened by the solver's tolerance: the guard clips a remaining violation.
            solved = self._call(0, na + int(p.size[N_ROWS]))
        return solved and self._tolerances.accept(self._arrays.solution.residual)

    def solve_softened(self) -> bool:
        """Solves with limits and contact motion as heavy costs, so that a solution always exists.

        Returns:
            True if the solution is finite, satisfies the dynamics, and its wrenches are inside their cones.
        """
        self._problem.size[SOFTENED] = 1
        p, lower = self._problem, self._arrays.contacts.lower
        # The smallest normal force is lowered to 0, so that zero wrenches are feasible; the check uses the
        # same bounds.
        self._contact_lower[:] = lower
        np.minimum(lower, 0.0, out=lower)
        self._write_rows(ROWS, self._table, NOTHING, NOTHING)
        self._run(DAQP_ASSEMBLY, self._table, NOTHING, NOTHING)
        na = len(self._arrays.solution.tau)
        solved = self._call(0, na + int(p.size[N_ROWS]), soft=True)
        lower[:] = self._contact_lower
        residual = self._arrays.solution.residual
        missed_N = max(residual[RES_BASE], residual[RES_CONE])
        return solved and bool(residual[RES_FINITE] == 1.0 and missed_N <= self._tolerances.force_N)

    def _call(self, first: int, last: int, soft: bool = False) -> bool:
        """Solves with constraints first to last - 1 of (bounds, motion, cone, torque, inequalities)."""
        p = self._problem
        n, na = int(p.size[N]), len(self._arrays.solution.tau)
        rows = last - na
        sense = self._sense[first:last]
        sense[:] = 0
        motion = na - first
        sense[motion : motion + int(p.size[N_MOTION])] = _EQUALITY
        near = int(self._arrays.clear.size[ACTIVE])
        if near and last == na + int(p.size[N_ROWS]):  # the clearance rows come last, and may be violated
            sense[-near:] = _SOFT
        if soft:
            sense[:na] = _SOFT
            sense[na + int(p.size[N_CONE]) :] = _SOFT
        z, _, flag, info = daqp.solve(
            p.H[: n * n].reshape(n, n), p.f[:n], p.C[: rows * n].reshape(rows, n), p.upper[first:last],
            p.lower[first:last], sense, iter_limit=300,
        )  # fmt: skip
        self.iterations += int(info["iterations"])
        if flag not in (_SOLVED, _SOLVED_SOFT):
            return False
        self._z[:n] = z
        self._y[:] = 0.0
        self._y[first:last] = info["lam"]
        self._run(DAQP_FINISH, self._table, self._z, self._y)
        return True

    def forget(self) -> None:
        """Does nothing: the solver keeps no state between ticks."""
