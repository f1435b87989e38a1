"""The compiled entry points of the tick, generated from the registered task kinds.

The switch over kinds is generated from the registry, not from a robot's task list: a new configuration never
compiles, only a new kind does. See `kilohertz.robots.compile.kernels` for how the machine code is cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from kilohertz.controller.problem.tables import Floats, Ints
from kilohertz.controller.qp.stages import Run
from kilohertz.controller.tasks.kind import load_kinds
from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile import cached_entry
from kilohertz.robots.compile.import_closure import sources_of, sources_of_text
from kilohertz.robots.compile.struct_table import StructTable

_TEMPLATE = '''"""Generated from the registered task kinds; do not edit."""
import numba
from numba import types
from kilohertz.controller.qp.dual_rows import fixed_rows
from kilohertz.controller.qp.dual_solver import solve_dual
from kilohertz.controller.qp.inequality_rows import inequality_residual
from kilohertz.controller.qp.osqp_assembly import finish, scatter
from kilohertz.controller.qp.stages import DUAL_SOLVE, KINEMATICS, OSQP_ASSEMBLY, OSQP_FINISH, ROWS
from kilohertz.controller.qp.whole_body_kinematics import barriers, kinematics
{imports}
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]
TABLE = types.int64[:, ::1]


@numba.njit(**KERNEL_OPTIONS)
def fill_all(k, tasks, rows):
    nb = k.n_base[0]
    nv = len(k.v)
    na = nv - nb
    m = costs = 0
    n_wrench = 6 * k.n_base[2]
    for j in range(na):
        rows.d[j] = 1e-8
        rows.dx[j] = 0.0
    rows.wrench_d[:] = 1e-12
    rows.wrench_dx[:] = 0.0
    last = len(rows.b) - 1
    for i in range(len(tasks.table)):
        if tasks.table[i, 0] == 0:
            continue
        kind = tasks.table[i, 1]
        f = tasks.table[i, 2]
        space = tasks.table[i, 3]
        dim = tasks.table[i, 4]
        ref = tasks.ref[tasks.table[i, 5]:]
        gain = tasks.gain[i]
        weight = tasks.weight[i]
        if space == 0:
            T = rows.T[m:m + dim, :nv]
            b = rows.b[m:m + dim]
        elif space == 1:
            T = rows.T[m:m + dim, :6]
            T[:] = 0.0
            b = rows.b[m:m + dim]
        elif space == 4:
            T = rows.T[m:m + dim, :n_wrench]
            T[:] = 0.0
            b = rows.b[m:m + dim]
        else:
            T = rows.T[last:last + 1, :]
            b = rows.T[last - 1, :]
{cases}
        if space == 2:
            for j in range(na):
                rows.d[j] += weight[0] * T[0, j]
                rows.dx[j] += weight[0] * T[0, j] * b[j]
        elif space == 3:
            for r in range(6):
                rows.wrench_d[f, r] += weight[0] * T[0, r]
                rows.wrench_dx[f, r] += weight[0] * T[0, r] * b[r]
        else:
            for r in range(dim):
                rows.w[m + r] = weight[r]
                rows.space[m + r] = space
                rows.task[m + r] = i
            m += dim
            if tasks.table[i, 6] == 0:
                costs = m
            else:
                for r in range(dim):
                    rows.task[m - dim + r] = 6 * (i - rows.size[2]) + r
    rows.size[0] = costs
    rows.size[1] = m - costs
    return costs


@numba.njit(types.int64(types.int64, TABLE, VECTOR, VECTOR), **OPTIONS)
def run(stage, A, x, y):
{structs}
    if stage == KINEMATICS:
        kinematics(x, y, kin)
        barriers(kin, limits)
        return 0
    status = 0
    if stage == OSQP_FINISH:
        status = finish(kin, contacts, limits, solution, osqp, x, y)
    else:
        status = m = fill_all(kin, tasks, rows)
        solution.residual[6] = 0.0
        if stage == OSQP_ASSEMBLY:
            scatter(kin, tasks, rows, m, contacts, limits, osqp)
        elif stage == DUAL_SOLVE:
            fixed_rows(kin, tasks, rows, m, contacts, exact, dual)
            status = solve_dual(kin, contacts, limits, solution, exact, dual)
    if rows.size[1] > 0 and stage != OSQP_ASSEMBLY and stage != ROWS:
        inequality_residual(kin, rows, contacts, solution, exact.work)
    return status
'''

_FALLBACK = '''"""Generated; do not edit."""
import numba
from numba import types
from kilohertz.controller.qp.exact_assembly import expand, reduce_problem
from kilohertz.controller.qp.inequality_rows import inequality_residual, reduced_inequalities
from kilohertz.controller.qp.stages import DAQP_ASSEMBLY
{imports}
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]


@numba.njit(types.int64(types.int64, types.int64[:, ::1], VECTOR, VECTOR), **OPTIONS)
def run(stage, A, x, y):
{structs}
    if stage == DAQP_ASSEMBLY:
        reduce_problem(kin, rows, rows.size[0], contacts, limits, exact)
        if rows.size[1] > 0:
            reduced_inequalities(kin, rows, contacts, exact)
    else:
        expand(kin, contacts, limits, solution, exact, x, y)
        if rows.size[1] > 0:
            inequality_residual(kin, rows, contacts, solution, exact.work)
    return 0
'''


def load(groups: dict[str, Any]) -> Run:
    """Every compiled stage of the tick as one function, compiled at first use.

    Args:
        groups: every group of arrays by the name compiled code knows it by: the fields of `Arrays`, then
            `exact`, `dual` and `osqp`. Addresses and shapes come in at run time with the table of a
            `StructTable` of the same groups, so one function serves every robot.
    """
    kinds = load_kinds()
    structs = StructTable.of(groups)
    fills = [f"from {kind.module} import fill as fill_{name}" for name, kind in kinds.items()]
    text = _TEMPLATE.format(
        imports="\n".join([*structs.imports, *fills]),
        cases="\n".join(
            f"        {'if' if index == 0 else 'elif'} kind == {index}:\n"
            f"            fill_{name}(k, f, ref, gain, T, b)"
            for index, name in enumerate(kinds)
        ),
        structs=_indented(structs.lines),
    )
    sources = sources_of_text(text).union(*(sources_of(kind.module) for kind in kinds.values()))
    run: Run = cached_entry.load_entry("control_kernels", text, sources, expected_s=16.0).run
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

    structs = StructTable.of(groups)
    text = _FALLBACK.format(imports="\n".join(structs.imports), structs=_indented(structs.lines))
    compile_ahead.load_later("fallback_kernels", text, sources_of_text(text), 8.0, use)
    return later


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
