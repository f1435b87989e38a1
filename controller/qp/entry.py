"""The compiled entry points of the tick, generated from the registered task kinds.

The switch over kinds is generated from the registry, not from a robot's task list: a new configuration never
compiles, only a new kind does. See `kilohertz.robots.compile.kernels` for how the machine code is cached.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kilohertz.controller.problem.tables import bind
from kilohertz.controller.tasks.kind import load_kinds, source_files
from kilohertz.estimators import so3
from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile import kernel_compiler
from kilohertz.robots.compile import kernels as compiled
from kilohertz.robots.model import gravity, kin
from kilohertz.robots.model.kin import Floats, Ints

KINEMATICS, ROWS, OSQP_ASSEMBLY, OSQP_FINISH, DUAL_SOLVE, DAQP_ASSEMBLY, DAQP_FINISH = range(7)
"""Stages: one entry point, so what they share is compiled once; the last two, seldom needed, in another."""
NOTHING = np.zeros(0)
"""For the vectors that a stage does not take; KINEMATICS takes q, v, the FINISH stages the solver's x, y."""

Run = Callable[[int, Ints, Floats, Floats], int]
"""(stage, table of all arrays, x, y) -> a count or a status."""

_TEMPLATE = '''"""Generated from the registered task kinds; do not edit."""
import numba
from numba import carray, types
from kilohertz.controller.qp.entry import DUAL_SOLVE, KINEMATICS, OSQP_ASSEMBLY, OSQP_FINISH, ROWS
from kilohertz.controller.problem.tables import INEQUALITY_ROWS, RES_INEQUALITY
from kilohertz.controller.problem.tables import Contacts, Limits, Rows, Solution, Tasks
from kilohertz.controller.qp.osqp_assembly import OsqpArrays, finish, scatter
from kilohertz.controller.qp.dual_rows import DualArrays, fixed_rows
from kilohertz.controller.qp.dual_solver import solve_dual
from kilohertz.controller.qp.exact_assembly import ExactArrays
from kilohertz.controller.qp.inequality_rows import inequality_residual
from kilohertz.controller.qp.task_rows import task_row_writer
from kilohertz.controller.qp.whole_body_kinematics import barriers, kinematics
from kilohertz.robots.compile.kernels import KERNEL_OPTIONS, float_pointer, int_pointer
from kilohertz.robots.model.kin import Kin
{imports}
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]
TABLE = types.int64[:, ::1]


@numba.njit(inline="always", **KERNEL_OPTIONS)
def fill(kind, k, f, ref, gain, T, b):
{cases}


write_task_rows = task_row_writer(fill)


@numba.njit(types.int64(types.int64, TABLE, VECTOR, VECTOR), **OPTIONS)
def run(stage, A, x, y):
{bind}
    if stage == KINEMATICS:
        kinematics(x, y, kin)
        barriers(kin, limits)
        return 0
    status = 0
    if stage == OSQP_FINISH:
        status = finish(kin, contacts, limits, solution, osqp, x, y)
    else:
        status = m = write_task_rows(kin, tasks, rows)
        solution.residual[RES_INEQUALITY] = 0.0
        if stage == OSQP_ASSEMBLY:
            scatter(kin, tasks, rows, m, contacts, limits, osqp)
        elif stage == DUAL_SOLVE:
            fixed_rows(kin, tasks, rows, m, contacts, exact, dual)
            status = solve_dual(kin, contacts, limits, solution, exact, dual)
    if rows.size[INEQUALITY_ROWS] > 0 and stage != OSQP_ASSEMBLY and stage != ROWS:
        inequality_residual(kin, rows, contacts, solution, exact.work)
    return status
'''

_FALLBACK = '''"""Generated; do not edit."""
import numba
from numba import carray, types
from kilohertz.controller.qp.dual_rows import DualArrays
from kilohertz.controller.qp.entry import DAQP_ASSEMBLY
from kilohertz.controller.qp.exact_assembly import ExactArrays, expand, reduce_problem
from kilohertz.controller.qp.inequality_rows import inequality_residual, reduced_inequalities
from kilohertz.controller.qp.osqp_assembly import OsqpArrays
from kilohertz.controller.problem.tables import COST_ROWS, INEQUALITY_ROWS
from kilohertz.controller.problem.tables import Contacts, Limits, Rows, Solution, Tasks
from kilohertz.robots.compile.kernels import KERNEL_OPTIONS, float_pointer, int_pointer
from kilohertz.robots.model.kin import Kin
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]


@numba.njit(types.int64(types.int64, types.int64[:, ::1], VECTOR, VECTOR), **OPTIONS)
def run(stage, A, x, y):
{bind}
    if stage == DAQP_ASSEMBLY:
        reduce_problem(kin, rows, rows.size[COST_ROWS], contacts, limits, exact)
        if rows.size[INEQUALITY_ROWS] > 0:
            reduced_inequalities(kin, rows, contacts, exact)
    else:
        expand(kin, contacts, limits, solution, exact, x, y)
        if rows.size[INEQUALITY_ROWS] > 0:
            inequality_residual(kin, rows, contacts, solution, exact.work)
    return 0
'''


def load(groups: dict[str, Any]) -> Run:
    """Every compiled stage of the tick as one function, compiled at first use.

    Args:
        groups: every group of arrays by the name compiled code knows it by: the fields of `Arrays`, then
            `exact`, `dual` and `osqp`. Addresses and shapes come in at run time with the table that `bind`
            makes of them, so one function serves every robot.
    """
    kinds = load_kinds()
    text = _TEMPLATE.format(
        imports="\n".join(f"from {kind.module} import fill as fill_{name}" for name, kind in kinds.items()),
        cases="\n".join(
            f"    {'if' if index == 0 else 'elif'} kind == {index}:\n"
            f"        fill_{name}(k, f, ref, gain, T, b)"
            for index, name in enumerate(kinds)
        ),
        bind=bind(groups)[1],
    )
    run: Run = compiled.load_entry("control_kernels", text, _sources(), expected_s=16.0).run
    return run


def load_fallback(groups: dict[str, Any]) -> Run:
    """The stages of DAQP, on rows that ROWS or DUAL_SOLVE has written; compiled beside the others.

    Args:
        groups: as for `load`; its tables serve here too.
    """

    def run(stage: int, table: Ints, x: Floats, y: Floats) -> int:
        """Stands in until the stages are compiled."""
        compile_ahead.load_pending()
        return run(stage, table, x, y)

    def use(module: ModuleType) -> None:
        nonlocal run
        run = module.run

    def later(stage: int, table: Ints, x: Floats, y: Floats) -> int:
        return run(stage, table, x, y)

    text = _FALLBACK.format(bind=bind(groups)[1])
    compile_ahead.load_later("fallback_kernels", text, _sources(), 8.0, use)
    return later


def _sources() -> list[Path]:
    here = Path(__file__).parent
    sources = [
        *here.glob("*.py"),
        *source_files(),
        *(here.parent / "problem").glob("*.py"),
        Path(so3.__file__),
    ]
    return [
        *sources,
        Path(compiled.__file__),
        Path(gravity.__file__),
        Path(kin.__file__),
        Path(kernel_compiler.__file__),
    ]
