"""The exact solver: the compiled dual active-set solver, and its continuation where rows contradict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from kilohertz.controller.problem.declarations import Inequality
from kilohertz.controller.problem.ranks import BLOCKS, FORCE_UNIT, RANKS, WEIGHT
from kilohertz.controller.problem.tables import (
    MAX_CONE_ROWS,
    RES_BASE,
    RES_CONE,
    RES_FINITE,
    RES_TAU,
    Arrays,
)
from kilohertz.controller.qp.dual_rows import GIVEN_D, STEPS, DualArrays
from kilohertz.controller.qp.dual_solver import NO_SOLUTION, SOLVED
from kilohertz.controller.qp.giving_rows import HELD, LEVEL, NEVER, GivingArrays
from kilohertz.controller.qp.stages import (
    ANEW,
    CARRY_ON,
    CONTRADICTION,
    DUAL_SOLVE,
    EXPLANATION,
    NOTHING,
    ROWS,
    Run,
)
from kilohertz.controller.qp.tolerances import Tolerances
from kilohertz.robots.model.gravity import GRAVITY_M_S2
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


def giving_arrays(arrays: Arrays, inequalities: Sequence[Inequality]) -> GivingArrays:
    """Allocates the memory for contradictions, and writes rank and weight of every row.

    Args:
        arrays: the shared tables.
        inequalities: the declared inequalities, in the order of their slots.
    """
    contacts, na = arrays.contacts, len(arrays.solution.tau)
    n_contacts = len(contacts.offset)
    n = na + int(contacts.dim.sum())
    given = arrays.solution.y_inequality.size
    cones = n_contacts * MAX_CONE_ROWS
    counted = cones + 2 * na
    first_motion = counted + given
    rows = first_motion + 6 * n_contacts
    rank, weight = np.zeros(rows, np.int64), np.zeros(rows)

    def block(at: slice | Ints, rank_name: str, row_weight: float) -> None:
        rank[at] = RANKS.index(rank_name)
        weight[at] = min(row_weight, NEVER)

    block(slice(0, cones), *BLOCKS["cone"][:2])
    load = np.arange(n_contacts) * MAX_CONE_ROWS + np.maximum(contacts.n_rows, 1) - 1
    force_unit_N = FORCE_UNIT * GRAVITY_M_S2 * float(arrays.kin.mass[0])
    block(load, BLOCKS["load"].rank, BLOCKS["load"].weight / force_unit_N)
    block(slice(cones, cones + na), *BLOCKS["torque_limit"][:2])
    block(slice(cones + na, counted), *BLOCKS["barrier"][:2])
    block(slice(counted, first_motion), *BLOCKS["inequality"][:2])
    for i, inequality in enumerate(inequalities):
        # With equal weights two opposite rows would share the violation: the one declared later gives alone.
        row_weight = WEIGHT[inequality.rank] * (1.0 - 0.01 * min(i, 50))
        block(slice(counted + 6 * i, counted + 6 * i + 6), inequality.rank, row_weight)
    block(slice(first_motion, rows), *BLOCKS["motion"][:2])
    held = int((weight < NEVER).sum())
    return GivingArrays(
        size=np.array([0, 0, 0, counted, first_motion], np.int64),
        rank=rank,
        weight=weight,
        D=np.zeros((held, n)),
        span=np.zeros((held, 2), np.int64),
        C=np.zeros((held, 6)),
        b=np.zeros(held),
        limit=np.zeros(held, np.int64),
        y=np.zeros(held),
        rhs=np.zeros(len(arrays.rows.b) + n + int(contacts.dim.sum()) + 1),
        force=np.zeros(n),
        pull=np.zeros(12),
        taken=np.zeros(2 * first_motion, np.int64),
        fought=np.zeros(rows, np.int64),
        needed=np.zeros(rows),
    )


class DualBackend:
    """Solves the tick's problem exactly, limits included.

    Args:
        arrays: the shared tables.
        dual: memory of the solver.
        run: compiled stages.
        table: table of all arrays, for `run`.
        tolerances: largest residuals of a solved tick.
        soften: compiled stages for contradictions.
        soften_table: table of all arrays, for `soften`.
        giving_size: `GivingArrays.size`.
    """

    name = "exact"

    def __init__(
        self,
        arrays: Arrays,
        dual: DualArrays,
        run: Run,
        table: Ints,
        tolerances: Tolerances,
        soften: Run,
        soften_table: Ints,
        giving_size: Ints,
    ) -> None:
        self._solution = arrays.solution
        self._residual = arrays.solution.residual
        self._dual = dual
        self._run, self._table = run, table
        self._solve_dual = partial(run, DUAL_SOLVE, table, NOTHING, NOTHING)
        self._tolerances = tolerances
        self._soften, self._soften_table = soften, soften_table
        self._giving_size = giving_size
        self._failed: int | None = None
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
        result = self.iterations = self._solve_dual()
        return result > 0 or self._solve_again(result)

    def _solve_again(self, result: int) -> bool:
        """Solves the problem from no limits, unless the first result, not positive, was a contradiction."""
        self.iterations = 1 + int(self._dual.size[STEPS])
        if result != -NO_SOLUTION:
            # The limits of the last tick may be a bad start.
            for y in (self._solution.y_cone, self._solution.y_tau, self._solution.y_vdot):
                y[:] = 0.0
            result = self._solve_dual()
            self.iterations += 1 + int(self._dual.size[STEPS])
            if result > 0:
                return True
        self._failed = CONTRADICTION if result == -NO_SOLUTION else ANEW
        return False

    def _carry_on(self) -> bool:
        """Solves the tick from the rows that gave in the last one; a tick in which none gives is solved."""
        self._expect_giving(False)
        self._run(ROWS, self._table, NOTHING, NOTHING)
        status = self._soften(CARRY_ON, self._soften_table, NOTHING, NOTHING)
        if status != SOLVED:
            return self.solve()
        self.iterations = 1 + int(self._dual.size[STEPS])
        if self._giving_size[HELD] == 0:
            return self._tolerances.accept(self._residual)
        self._failed = CARRY_ON
        return False

    def soften(self) -> bool:
        """Solves a tick that `solve` did not solve, by an exact penalty on the rows that may give.

        Returns:
            True if the solution is finite, satisfies the dynamics, and its wrenches and torques are inside
            their cones and limits.
        """
        if self._failed is None and self.solve():
            return True
        failed, self._failed = self._failed, None
        status = SOLVED
        self.iterations = 0
        if failed in (CONTRADICTION, ANEW):
            before = int(self._dual.size[STEPS]) if failed == CONTRADICTION else 0
            status = self._soften(failed, self._soften_table, NOTHING, NOTHING)
            self.iterations = int(self._dual.size[STEPS]) - before
        r, limit = self._residual, self._tolerances
        held = max(r[RES_BASE], r[RES_CONE]) <= limit.force_N and r[RES_TAU] <= limit.torque_Nm
        softened = bool(status == SOLVED and r[RES_FINITE] == 1.0 and held)
        self._expect_giving(softened)
        return softened

    def _expect_giving(self, expected: bool) -> None:
        """Makes the next tick start from the rows that give now, or as usual.

        The method itself is exchanged, so that a tick in which nothing gives has nothing to ask.
        """
        self.__dict__.pop("solve", None)
        if expected:
            self.__dict__["solve"] = self._carry_on

    def reset(self) -> None:
        """Discards what is known of the last tick."""
        self._expect_giving(False)
        self._failed = None

    def find_contradiction(self) -> None:
        """Writes rows of the last softened tick that contradict each other into `GivingArrays.fought`.

        The solution stays as it is.
        """
        kept = [array.copy() for array in self._solution]
        level = int(self._giving_size[LEVEL])
        self._soften(EXPLANATION, self._soften_table, NOTHING, NOTHING)
        self._giving_size[LEVEL] = level
        for array, before in zip(self._solution, kept, strict=True):
            array[:] = before

    def forget(self) -> None:
        """Does nothing: the solver keeps no state except the last solution."""
