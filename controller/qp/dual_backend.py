"""The exact solver: the compiled dual active-set solver, and DAQP if it fails."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.problem.tables import Arrays
from kilohertz.controller.qp.daqp_backend import DaqpBackend
from kilohertz.controller.qp.dual_rows import GIVEN_D, STEPS, DualArrays
from kilohertz.controller.qp.dual_solver import SOLVED
from kilohertz.controller.qp.stages import DUAL_SOLVE, NOTHING, Run
from kilohertz.controller.qp.tolerances import Tolerances
from kilohertz.robots.model.kin import NV_BASE, Ints


def dual_arrays(arrays: Arrays) -> DualArrays:
    """Allocates the solver's memory: rows for all tasks and contacts, and as many limits as unknowns."""
    nv, nb = len(arrays.kin.v), int(arrays.kin.size[NV_BASE])
    wrenches = int(arrays.contacts.dim.sum())
    n = nv - nb + wrenches
    rows = len(arrays.rows.b) + wrenches + n + 1
    given = arrays.solution.y_inequality.size
    return DualArrays(
        size=np.zeros(6, np.int64),
        D=np.zeros((rows, n)),
        span=np.zeros((rows, 2), np.int64),
        C=np.zeros((rows, 6)),
        P=np.zeros((rows, 6)),
        CQ=np.zeros((12, rows)),
        KK=np.zeros((6, 6)),
        b=np.zeros(rows),
        soft=np.zeros(rows),
        limit=np.zeros(rows, np.int64),
        S=np.zeros((rows, rows)),
        F=np.zeros((rows, rows)),
        y=np.zeros(rows),
        step=np.zeros(rows),
        z=np.zeros(n),
        pull=np.zeros((6, 1)),
        given=np.zeros((given, GIVEN_D + n)),
        given_span=np.zeros((given, 3), np.int64),
    )


class DualBackend:
    """Solves the tick's problem exactly, limits included.

    Args:
        arrays: the shared tables.
        dual: memory of the solver.
        run: compiled stages.
        table: table of all arrays, for `run`.
        tolerances: largest residuals of a solved tick.
        fallback: solver that is used if the dual solver fails.
    """

    name = "exact"

    def __init__(
        self,
        arrays: Arrays,
        dual: DualArrays,
        run: Run,
        table: Ints,
        tolerances: Tolerances,
        fallback: DaqpBackend,
    ) -> None:
        self._residual = arrays.solution.residual
        self._dual = dual
        self._run, self._table = run, table
        self._tolerances = tolerances
        self._fallback = fallback
        self.iterations = 0

    def prepare(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Does nothing: the reduced problem is dense, and its size may change each tick at little cost."""

    def assemble(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Does nothing: `solve` writes and solves the problem in one compiled call, 1 us less than in two."""

    def solve(self) -> bool:
        """Solves the problem of this tick and writes the solution.

        Returns:
            True if the solution is finite, and dynamics, contact motion and wrench cones are within
            tolerance.
        """
        status = self._run(DUAL_SOLVE, self._table, NOTHING, NOTHING)
        self.iterations = 1 + int(self._dual.size[STEPS])
        if status == SOLVED and self._tolerances.accept(self._residual):
            return True
        self._fallback.assemble((), ())
        solved = self._fallback.solve()
        self.iterations += self._fallback.iterations
        return solved

    def forget(self) -> None:
        """Does nothing: the solver keeps no state except the last solution."""
