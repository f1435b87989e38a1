"""OSQP, the default solver: one prepared problem for each set of closed contacts and enabled tasks.

The choices that make it fast, in order of their measured effect:

1. No adaptive rho and no Ruiz scaling, but a small rho, and rows scaled by the active set: first that of
   the last tick, then, if it has changed, that of this tick.
2. Little over-relaxation.
3. A sparse Hessian.
4. Limits that are added only when they are hit.

The raw solver object is used, because the checks of its wrapper take 12 us per tick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import osqp
import scipy.sparse as sp

from kilohertz.controller.problem.tables import MOTION, RES_FINITE, SPACE, Arrays
from kilohertz.controller.qp.osqp_assembly import ACTIVE, ROW_TAU, ROW_VDOT, OsqpArrays
from kilohertz.controller.qp.stages import (
    ACCEPTED,
    CHANGED,
    LIMITS_HOLD,
    NOTHING,
    OSQP_ASSEMBLY,
    OSQP_FINISH,
    Run,
)
from kilohertz.robots.compile.struct_table import StructTable
from kilohertz.robots.model.kin import NV_BASE, Floats, Ints

_SOLVED = int(osqp.SolverStatus.OSQP_SOLVED)
_MOTION_SCALE = 4.5
_BASE_SCALE_N, _CONE_SCALE_N = 90.0, 1.0
"""Force rows are divided by the unit of the wrench unknowns, so that heavy robots converge as fast as light
robots. With all force rows in newtons, the torque of a swaying Talos was 0.25 Nm (p99) from the optimum; now
0.003 Nm."""
_ACTIVE_SCALE = 80.0
"""Scale of a row at its bound, relative to other rows. The other rows slow down the change of the wrenches:
at a ratio of 10 the torque of a swaying Talos was 6 times as far from the optimum after 20 iterations as at a
ratio of 80 after 6 iterations."""


@dataclass(frozen=True)
class OsqpSettings:
    """Settings of OSQP. Lengths and forces are in SI units, so the tolerances are too.

    Attributes:
        rho: step size parameter, chosen for the curvature of the cost, whose smallest weights are 1e-3.
        relaxation: over-relaxation parameter alpha of OSQP. In each iteration the residual of an equality
            is multiplied by |1 - relaxation|. With OSQP's default 1.6 a walking G1 took 20 iterations
            per tick, with 1.1 it takes 6.
        eps_abs: absolute tolerance. With these tolerances the torque of a walking G1 is 0.15 mNm (p99) from
            the optimum, that of a swaying Talos 2 mNm.
        eps_rel: relative tolerance.
        max_iter: iteration limit; beyond it the exact solver is used.
        reweigh_after: iterations until the rows are rescaled, if rows have reached or left their bounds.
        check_termination: iterations between two checks of the residuals.
    """

    rho: float = 1e-4
    relaxation: float = 1.1
    eps_abs: float = 1e-4
    eps_rel: float = 1e-6
    max_iter: int = 60
    reweigh_after: int = 12
    check_termination: int = 3


class _Places:
    """Positions of the blocks of one problem among its columns (vdot, wrenches) and its rows.

    Attributes:
        n: number of unknowns.
        m: number of rows.
        n_force: number of wrench unknowns.
        offset: (C,) first wrench column of each contact, counted after vdot; -1 for an open contact.
        row_motion: (C,) first motion row of each contact; -1 for an open contact.
        row_cone: (C,) first cone row of each contact; -1 for an open contact.
        n_equalities: number of rows before the first cone row.
        row_tau: first row of the torque limits.
        row_vdot: first row of the barriers.
    """

    def __init__(self, arrays: Arrays, closed: tuple[int, ...], limits: bool) -> None:
        contacts, na = arrays.contacts, len(arrays.solution.tau)
        self.offset, self.row_motion, self.row_cone = (
            np.full(len(contacts.dim), -1, np.int64) for _ in range(3)
        )
        n_force, row = 0, int(arrays.kin.size[NV_BASE])
        for c in closed:
            self.offset[c], self.row_motion[c] = n_force, row
            n_force += int(contacts.dim[c])
            row += int(contacts.dim[c])
        self.n_equalities = row
        for c in closed:
            self.row_cone[c] = row
            row += int(contacts.n_rows[c])
        self.row_tau, self.row_vdot = row, row + na
        self.m = row + 2 * na if limits else row
        self.n, self.n_force = len(arrays.kin.v) + n_force, n_force


class OsqpProblem:
    """A problem with a fixed sparsity pattern and its own OSQP solver, updated in place."""

    def __init__(
        self,
        arrays: Arrays,
        groups: dict[str, Any],
        closed: tuple[int, ...],
        soft: tuple[int, ...],
        limits: bool,
        settings: OsqpSettings,
        force_scale: float,
    ) -> None:
        self.closed = closed
        self.with_limits = limits
        place = _Places(arrays, closed, limits)
        nb = int(arrays.kin.size[NV_BASE])
        n, m = place.n, place.m
        self.n_equalities = place.n_equalities
        pattern_P, pattern_A = (
            _hessian_pattern(arrays, place, soft),
            _row_pattern(arrays, place, closed, limits),
        )
        P, position_P = _pattern(np.triu(pattern_P))
        A, position_A = _pattern(pattern_A)
        self._scale = np.ones(m)
        self._scale[nb : self.n_equalities] = _MOTION_SCALE
        self._scale[:nb] = _BASE_SCALE_N / force_scale
        self._scale[self.n_equalities : place.row_tau] = _CONE_SCALE_N / force_scale
        self.arrays = OsqpArrays(
            size=np.array([n, m, place.n_force, int(limits), place.row_tau, place.row_vdot], np.int64),
            force_scale=np.array([force_scale]),
            offset=place.offset,
            row_motion=place.row_motion,
            row_cone=place.row_cone,
            position_P=position_P,
            position_A=position_A,
            px=np.zeros(P.nnz),
            ax=np.zeros(A.nnz),
            g=np.zeros(n),
            l=np.zeros(m),
            u=np.zeros(m),
            row_scale=self._scale.copy(),
            active=np.zeros(m, np.int64),
            G=np.zeros((6, max(place.n_force, 1))),
            work=np.zeros(max(n, 6)),
        )
        self.table = StructTable.of({**groups, "osqp": self.arrays}).table
        P.data[:] = _is_diagonal(P)  # any positive definite matrix will do; the tick writes the real values
        solver = osqp.OSQP()
        solver.setup(
            P, np.zeros(n), A, -np.ones(m), np.ones(m),
            verbose=False, polishing=False, adaptive_rho=0, scaling=0, warm_starting=True, rho=settings.rho,
            alpha=settings.relaxation, eps_abs=settings.eps_abs, eps_rel=settings.eps_rel,
            max_iter=min(settings.reweigh_after, settings.max_iter),
            check_termination=settings.check_termination,
        )  # fmt: skip
        self.solver: Any = solver._solver
        self.x0, self.y0 = np.zeros(n), np.zeros(m)
        self.active_before = np.zeros(m, np.int64)

    def warm_start(self, arrays: Arrays) -> None:
        """Warm-starts OSQP from the last solution, even if that came from another problem or solver."""
        p, solution, contacts = self.arrays, arrays.solution, arrays.contacts
        nv, nb = len(arrays.kin.v), int(arrays.kin.size[NV_BASE])
        self.x0[:nv] = solution.vdot
        self.y0[:nb] = solution.y_base[:nb]
        for c in self.closed:
            dim, rows = contacts.dim[c], contacts.n_rows[c]
            self.x0[nv + p.offset[c] : nv + p.offset[c] + dim] = solution.wrench[c, :dim] / p.force_scale[0]
            self.y0[p.row_motion[c] : p.row_motion[c] + dim] = solution.y_motion[c, :dim]
            self.y0[p.row_cone[c] : p.row_cone[c] + rows] = solution.y_cone[c, :rows]
        if self.with_limits:
            na = len(solution.tau)
            self.y0[p.size[ROW_TAU] : p.size[ROW_TAU] + na] = solution.y_tau
            self.y0[p.size[ROW_VDOT] : p.size[ROW_VDOT] + na] = solution.y_vdot
        inside = slice(self.n_equalities, None)
        p.active[inside] = np.abs(self.y0[inside]) > ACTIVE
        self._send()

    def hand_over(self) -> None:
        """Copies the assembled problem into the solver."""
        p = self.arrays
        self.solver.update_data_vec(p.g, p.l, p.u)
        self.solver.update_data_mat(p.px, None, p.ax, None)

    def rescale(self) -> None:
        """Rescales the rows by the current active set; the multipliers are converted accordingly."""
        self.x0[:] = self.solver.solution.x
        self.y0[:] = self.solver.solution.y
        self.y0 *= self.arrays.row_scale
        self._send()

    def cold_start(self) -> None:
        """Resets the iterate to zero: a NaN in it would make every later solve fail."""
        self.x0[:] = 0.0
        self.y0[:] = 0.0
        self.arrays.active[:] = 0
        self._send()

    def _send(self) -> None:
        scale = self.arrays.row_scale
        np.multiply(self.arrays.active, _ACTIVE_SCALE - 1.0, out=scale)
        scale += 1.0
        scale *= self._scale
        self.y0 /= scale
        self.solver.warm_start(self.x0, self.y0)


class OsqpBackend:
    """Solves the tick's problem with OSQP.

    Args:
        arrays: the shared tables.
        groups: every group of arrays except OSQP's own, by its name in compiled code.
        run: compiled stages.
        settings: settings of OSQP.
        force_scale: unit of the wrench unknowns [N], about a tenth of the load.

    Attributes:
        iterations: iterations of OSQP in the last solve.
        limits_hold: whether the last solution is within the limits of torques, accelerations and
            inequalities; known after a `solve` that returned True.
    """

    name = "osqp"

    def __init__(
        self,
        arrays: Arrays,
        groups: dict[str, Any],
        run: Run,
        settings: OsqpSettings,
        force_scale: float,
    ) -> None:
        self._arrays = arrays
        self._run = run
        self._groups = groups
        self._settings = settings
        self._rounds = math.ceil(settings.max_iter / settings.reweigh_after)
        self._force_scale = force_scale
        self._problems: dict[tuple[tuple[int, ...], tuple[int, ...]], OsqpProblem] = {}
        self._current: OsqpProblem | None = None
        self.iterations = 0
        self.limits_hold = False

    def prepare(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Builds the problem of a mode. Takes 2 ms, so it must be called before the loop starts."""
        table = self._arrays.tasks.table
        soft = tuple(t for t in enabled if table[t, SPACE] == MOTION)
        if (closed, enabled) not in self._problems:
            # A fixed base always has limit rows: it has no others, and OSQP needs at least one row.
            limits = int(self._arrays.kin.size[NV_BASE]) == 0
            self._problems[closed, enabled] = OsqpProblem(
                self._arrays, self._groups, closed, soft, limits, self._settings, self._force_scale
            )

    def assemble(self, closed: tuple[int, ...], enabled: tuple[int, ...]) -> None:
        """Writes the problem of this tick."""
        problem = self._problems[closed, enabled]
        if problem is not self._current:
            problem.warm_start(self._arrays)
            self._current = problem
        self._run(OSQP_ASSEMBLY, problem.table, NOTHING, NOTHING)

    def solve(self) -> bool:
        """Solves the problem of this tick and writes the solution; limits of a floating base are left out.

        Returns:
            True if OSQP converged, and the solution is finite and within tolerance in dynamics, contact
            motion and wrench cones.
        """
        problem = self._current
        assert problem is not None
        active, solver = problem.arrays.active, problem.solver
        problem.hand_over()
        residual = self._arrays.solution.residual
        self.iterations = 0
        for round_ in range(self._rounds):
            again = round_ > 0
            if again:
                np.copyto(problem.active_before, active)
            solver.solve()
            solution = solver.solution
            result = self._run(OSQP_FINISH, problem.table, solution.x, solution.y)
            changed = result & CHANGED
            info = solver.info  # a new copy at each access
            self.iterations += info.iter
            if residual[RES_FINITE] == 0.0:
                self._forget_everything()
                return False
            solved = bool(info.status_val == _SOLVED)
            done = solved or round_ == self._rounds - 1
            if changed and again and not done:
                # Where contacts share a load, two active sets alternated for ever: from now on no row is
                # removed from the set.
                np.maximum(active, problem.active_before, out=active)
            if changed:
                problem.rescale()
            if solved:
                self.limits_hold = bool(result & LIMITS_HOLD)
                return bool(result & ACCEPTED)
            if changed and not done:
                # A row that has just reached its bound still has a small scale: 200 iterations were not
                # enough.
                self._run(OSQP_ASSEMBLY, problem.table, NOTHING, NOTHING)
                problem.hand_over()
        # At the iteration limit an iterate may satisfy all constraints and still be newtons from the optimum.
        return False

    def _forget_everything(self) -> None:
        """Clears solution and iterate: with a NaN in the warm start no later tick would be solved."""
        for array in self._arrays.solution:
            if array is not self._arrays.solution.residual:
                array[:] = 0.0
        assert self._current is not None
        self._current.cold_start()

    def reset(self) -> None:
        """Resets the iterates of all problems, so that the next solve does not depend on earlier ones."""
        for problem in self._problems.values():
            problem.cold_start()
        self._current = None

    def forget(self) -> None:
        """Makes the next tick warm-start from `Solution`, because another solver has written it."""
        self._current = None


def _hessian_pattern(arrays: Arrays, place: _Places, soft: tuple[int, ...]) -> Any:
    """Returns (n, n) True where P may have an entry: diagonal, wrenches, and columns of each soft task."""
    nv = len(arrays.kin.v)
    pattern = np.eye(place.n, dtype=bool)
    pattern[nv:, nv:] = True
    for t in soft:
        columns = arrays.tasks.columns[t, : arrays.tasks.n_columns[t]]
        pattern[np.ix_(columns, columns)] = True
    return pattern


def _row_pattern(arrays: Arrays, place: _Places, closed: tuple[int, ...], limits: bool) -> Any:
    """Returns (m, n) True where A may have an entry."""
    kin, contacts = arrays.kin, arrays.contacts
    nv, nb = len(kin.v), int(kin.size[NV_BASE])
    na = nv - nb
    pattern = np.zeros((place.m, place.n), dtype=bool)
    pattern[:nb] = True
    for c in closed:
        dim, f = int(contacts.dim[c]), int(contacts.frame[c])
        columns = kin.columns[f, : kin.n_columns[f]]
        pattern[place.row_motion[c] : place.row_motion[c] + dim, columns] = True
        rows = slice(place.row_cone[c], place.row_cone[c] + int(contacts.n_rows[c]))
        wrench = slice(nv + place.offset[c], nv + place.offset[c] + dim)
        pattern[rows, wrench] = contacts.cone[c, : contacts.n_rows[c], :dim] != 0.0
    if limits:
        pattern[place.row_tau : place.row_tau + na] = True
        pattern[place.row_vdot + np.arange(na), nb + np.arange(na)] = True
    return pattern


def _pattern(mask: Any) -> tuple[sp.csc_matrix, Ints]:
    """Returns a sparse matrix of ones with this pattern, and the index of each entry in its data (or -1)."""
    matrix = sp.csc_matrix(mask.astype(np.float64))
    position = np.full(mask.shape, -1, np.int64)
    columns = np.repeat(np.arange(mask.shape[1]), np.diff(matrix.indptr))
    position[matrix.indices, columns] = np.arange(matrix.nnz)
    return matrix, position


def _is_diagonal(matrix: sp.csc_matrix) -> Floats:
    columns = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    return np.asarray(matrix.indices == columns)
