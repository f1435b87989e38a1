"""DAQP, a dense dual active-set solver, on the reduced problem: our own gave up, or limits are softened."""

from __future__ import annotations

import daqp
import numpy as np

from kilohertz.controller.problem.tables import RES_BASE, RES_CONE, RES_FINITE, Arrays
from kilohertz.controller.qp.exact_assembly import N_CONE, N_MOTION, N_ROWS, SOFTENED, ExactArrays, N
from kilohertz.controller.qp.stages import DAQP_ASSEMBLY, DAQP_FINISH, NOTHING, ROWS, Run
from kilohertz.controller.qp.tolerances import Tolerances
from kilohertz.robots.model.kin import NV_BASE, Ints

_SOLVED, _SOLVED_SOFT = 1, 2
_EQUALITY, _SOFT = 5, 8


def exact_arrays(arrays: Arrays) -> ExactArrays:
    """The reduced problem's memory, for all contacts closed at once."""
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
        write_rows: compiled stages, of which ROWS is used.
        run: the compiled stages of DAQP.
        table: of all arrays, for both.
        tolerances: what counts as solved.
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
        """Nothing to build: the reduced problem is dense and cheap to size anew."""

    def assemble(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Writes the problem of this tick."""
        self._problem.size[SOFTENED] = 0
        self._write_rows(ROWS, self._table, NOTHING, NOTHING)
        self._run(DAQP_ASSEMBLY, self._table, NOTHING, NOTHING)

    def solve(self) -> bool:
        """Solves it into the solution: first without torque limits and barriers, then with them where hit.

        Returns:
            True where the solution is finite and within tolerance of every block.
        """
        self.iterations = 0
        na = len(self._arrays.solution.tau)
        p = self._problem
        solved = self._call(na, na + int(p.size[N_MOTION] + p.size[N_CONE]))
        if solved and not self._tolerances.limits_ok(self._arrays.solution.residual):
            # The limits as they are, whatever the solver's own tolerance: the guard clips what is left.
            solved = self._call(0, na + int(p.size[N_ROWS]))
        return solved and self._tolerances.accept(self._arrays.solution.residual)

    def solve_softened(self) -> bool:
        """Solves with limits and contact motion as heavy costs: what is asked for has a solution then.

        Returns:
            True where the solution is finite and its wrenches are inside their cones.
        """
        self._problem.size[SOFTENED] = 1
        p, lower = self._problem, self._arrays.contacts.lower
        # Contacts may unload fully, so that no wrench at all is feasible; checked against the same bounds.
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
        """Solves with the constraints [first, last) of (bounds, motion, cone, torque)."""
        p = self._problem
        n, na = int(p.size[N]), len(self._arrays.solution.tau)
        rows = last - na
        sense = self._sense[first:last]
        sense[:] = 0
        motion = na - first
        sense[motion : motion + int(p.size[N_MOTION])] = _EQUALITY
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
        """Nothing is remembered between ticks."""
