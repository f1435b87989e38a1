"""The compiled entry points of the tick, generated from the registered task kinds.

The switch over kinds is generated from the registry, not from a robot's task list: a new configuration needs
no compilation, only a new kind does. See `kilohertz.robots.compile.kernels` for how the machine code is
cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from kilohertz.controller.qp.stages import Run
from kilohertz.controller.tasks.kind import load_kinds
from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile import cached_entry
from kilohertz.robots.compile.import_closure import sources_of, sources_of_text
from kilohertz.robots.compile.struct_table import StructTable
from kilohertz.robots.model.kin import Floats, Ints

_TEMPLATE = '''"""Generated from the registered task kinds; do not edit."""
import numba
from numba import types
from kilohertz.controller.problem.tables import INEQUALITY_ROWS, RES_INEQUALITY
from kilohertz.controller.problem.clear_arrays import ACTIVE
from kilohertz.controller.qp.clear_rows import append_clear_rows, clear_rows
from kilohertz.controller.qp.dual_rows import STEPS, fixed_rows
from kilohertz.controller.qp.dual_solver import GAVE_UP, SOLVED, solve_dual
from kilohertz.controller.qp.inequality_rows import inequality_residual
from kilohertz.controller.qp.osqp_assembly import finish, scatter
from kilohertz.controller.qp.residuals import accepted, limits_hold
from kilohertz.controller.qp.rolling import let_soles_roll, reject_flat_soles
from kilohertz.controller.qp.stages import ACCEPTED, DUAL_SOLVE, KINEMATICS, LIMITS_HOLD, ROWS
from kilohertz.controller.qp.stages import OSQP_ASSEMBLY, OSQP_FINISH
from kilohertz.controller.qp.task_rows import task_row_writer
from kilohertz.controller.qp.whole_body_kinematics import barriers, kinematics
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
{structs}
    if stage == KINEMATICS:
        kinematics(x, y, kin)
        barriers(kin, limits)
        clear_rows(kin, clear)
        return 0
    status = 0
    if stage == OSQP_FINISH:
        status = finish(kin, contacts, limits, solution, osqp, x, y)
        reject_flat_soles(contacts, solution)
    else:
        let_soles_roll(kin, contacts, limits, rolling)
        status = m = write_task_rows(kin, tasks, rows)
        if clear.size[ACTIVE] > 0:
            append_clear_rows(kin, clear, rows, m)
        solution.residual[RES_INEQUALITY] = 0.0
        if stage == OSQP_ASSEMBLY:
            scatter(kin, tasks, rows, m, contacts, limits, osqp)
        elif stage == DUAL_SOLVE:
            fixed_rows(kin, tasks, rows, m, contacts, exact, dual)
            status = solve_dual(kin, contacts, limits, solution, exact, dual)
    if rows.size[INEQUALITY_ROWS] > 0 and stage != OSQP_ASSEMBLY and stage != ROWS:
        inequality_residual(kin, rows, contacts, solution, exact.work)
    if stage == DUAL_SOLVE:
        if status != SOLVED:
            return -status
        return 1 + dual.size[STEPS] if accepted(solution.residual, limits.tolerance) else -GAVE_UP
    if stage == OSQP_FINISH:
        if accepted(solution.residual, limits.tolerance):
            status |= ACCEPTED
        if limits_hold(solution.residual, limits.tolerance):
            status |= LIMITS_HOLD
    return status
'''

_SOFTENING = '''"""Generated; do not edit."""
import numba
from numba import types
from kilohertz.controller.problem.tables import INEQUALITY_ROWS, RES_INEQUALITY
from kilohertz.controller.qp.inequality_rows import inequality_residual
from kilohertz.controller.qp.contradiction import find_contradiction
from kilohertz.controller.qp.softening import soften
from kilohertz.controller.qp.softening_start import start_anew, start_at_contradiction, start_from_last_tick
from kilohertz.controller.qp.stages import CARRY_ON, CONTRADICTION, EXPLANATION
{imports}
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]


@numba.njit(types.int64(types.int64, types.int64[:, ::1], VECTOR, VECTOR), **OPTIONS)
def run(stage, A, x, y):
{structs}
    if stage == EXPLANATION:
        find_contradiction(kin, contacts, limits, solution, exact, dual, giving)
        return 0
    if stage == CARRY_ON:
        start_from_last_tick(kin, tasks, rows, contacts, limits, solution, exact, dual, giving)
    elif stage == CONTRADICTION:
        start_at_contradiction(contacts, dual, giving)
    else:
        start_anew(contacts, dual, giving)
    status = soften(kin, contacts, limits, solution, exact, dual, giving)
    solution.residual[RES_INEQUALITY] = 0.0
    if rows.size[INEQUALITY_ROWS] > 0:
        inequality_residual(kin, rows, contacts, solution, exact.work)
    return status
'''


def load(groups: dict[str, Any]) -> Run:
    """Returns all compiled stages of the tick as one function, compiled at first use.

    Args:
        groups: every group of arrays by its name in compiled code: the fields of `Arrays`, then `exact`,
            `dual` and `osqp`. Addresses and shapes are passed at run time in the table of a `StructTable` of
            the same groups, so one function works for every robot.
    """
    kinds = load_kinds()
    structs = StructTable.of(groups)
    fills = [f"from {kind.module} import fill as fill_{name}" for name, kind in kinds.items()]
    text = _TEMPLATE.format(
        imports="\n".join([*structs.imports, *fills]),
        cases="\n".join(
            f"    {'if' if index == 0 else 'elif'} kind == {index}:\n"
            f"        fill_{name}(k, f, ref, gain, T, b)"
            for index, name in enumerate(kinds)
        ),
        structs=_indented(structs.lines),
    )
    sources = sources_of_text(text).union(*(sources_of(kind.module) for kind in kinds.values()))
    run: Run = cached_entry.load_entry("control_kernels", text, sources, expected_s=16.0).run
    return run


def load_softening(groups: dict[str, Any]) -> Run:
    """Returns the stages that solve a tick whose rows contradict each other, after DUAL_SOLVE.

    They are compiled separately from the other stages and may be ready later.

    Args:
        groups: every group of arrays, as for `load`, and `giving`.
    """

    def run(stage: int, table: Ints, x: Floats, y: Floats) -> int:
        """Waits until the stages are compiled, then runs them."""
        compile_ahead.load_pending()
        return run(stage, table, x, y)

    def use(module: ModuleType) -> None:
        nonlocal run
        run = module.run

    def later(stage: int, table: Ints, x: Floats, y: Floats) -> int:
        return run(stage, table, x, y)

    structs = StructTable.of(groups)
    text = _SOFTENING.format(imports="\n".join(structs.imports), structs=_indented(structs.lines))
    compile_ahead.load_later("softening_kernels", text, sources_of_text(text), 8.0, use)
    return later


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
