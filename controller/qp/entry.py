"""The compiled entry points of the tick, generated from the registered task kinds.

The switch over kinds is generated from the registry, not from a robot's task list: a new configuration never
compiles, only a new kind does. See `robots.compiled` for how the machine code is cached.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from controller.qp.tables import bind
from controller.tasks.kind import load_kinds, source_files
from estimators import so3
from robots import compiled

_TEMPLATE = '''"""Generated from the registered task kinds; do not edit."""
import numba
from numba import carray, types
from controller.qp.tables import Contacts, Kin, Limits, Rows, Solution, Tasks
from controller.qp.osqp_assembly import OsqpArrays, finish, scatter
from controller.qp.dual_rows import DualArrays, fixed_rows
from controller.qp.dual_solver import solve_dual
from controller.qp.exact_assembly import ExactArrays, expand, reduce_problem
from controller.qp.kinematics import barriers, kinematics
from robots.compiled import KERNEL_OPTIONS, float_pointer, int_pointer
{imports}
OPTIONS = dict(KERNEL_OPTIONS, cache=True)
VECTOR = types.float64[::1]
TABLE = types.int64[:, ::1]


@numba.njit(**KERNEL_OPTIONS)
def fill_all(k, tasks, rows):
    nb = k.n_base[0]
    nv = len(k.v)
    na = nv - nb
    m = 0
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
            T = rows.T[m:m + dim, :]
            b = rows.b[m:m + dim]
        elif space == 1:
            T = rows.T[m:m + dim, :6]
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
    return m


@numba.njit(types.void(VECTOR, VECTOR, TABLE), **OPTIONS)
def run_kinematics(q, v, A):
{bind_common}
    kinematics(q, v, kin)
    barriers(kin, limits)


@numba.njit(types.int64(TABLE), **OPTIONS)
def run_osqp_assembly(A):
{bind_osqp}
    m = fill_all(kin, tasks, rows)
    scatter(kin, tasks, rows, m, contacts, limits, osqp)
    return m


@numba.njit(types.int64(TABLE, VECTOR, VECTOR), **OPTIONS)
def run_osqp_finish(A, x, y):
{bind_osqp}
    return finish(kin, contacts, limits, solution, osqp, x, y)


@numba.njit(types.int64(TABLE), **OPTIONS)
def run_dual_assembly(A):
{bind_dual}
    m = fill_all(kin, tasks, rows)
    fixed_rows(kin, rows, m, contacts, exact, dual)
    return m


@numba.njit(types.int64(TABLE, types.int64), **OPTIONS)
def run_dual_solve(A, m):
{bind_dual}
    return solve_dual(kin, rows, m, contacts, limits, solution, exact, dual)


@numba.njit(types.void(TABLE), **OPTIONS)
def run_exact_assembly(A):
{bind_exact}
    m = fill_all(kin, tasks, rows)
    reduce_problem(kin, rows, m, contacts, limits, exact)


@numba.njit(types.void(TABLE, VECTOR, VECTOR), **OPTIONS)
def run_exact_finish(A, x, y):
{bind_exact}
    expand(kin, contacts, limits, solution, exact, x, y)
'''


def load(groups: dict[str, Any]) -> ModuleType:
    """The module of compiled entry points for the kinds registered now, compiled at first use.

    Args:
        groups: every group of arrays by the name compiled code knows it by: the fields of `Arrays`, then
            `osqp`, `exact` and `dual`. Addresses and shapes come in at run time, so the module serves every
            robot.
    """
    kinds = load_kinds()
    common = {name: group for name, group in groups.items() if name not in ("osqp", "exact", "dual")}
    text = _TEMPLATE.format(
        imports="\n".join(f"from {kind.module} import fill as fill_{name}" for name, kind in kinds.items()),
        cases="\n".join(
            f"        {'if' if index == 0 else 'elif'} kind == {index}:\n"
            f"            fill_{name}(k, f, ref, gain, T, b)"
            for index, name in enumerate(kinds)
        ),
        bind_common=bind(common)[1],
        bind_osqp=bind({**common, "osqp": groups["osqp"]})[1],
        bind_exact=bind({**common, "exact": groups["exact"]})[1],
        bind_dual=bind({**common, "exact": groups["exact"], "dual": groups["dual"]})[1],
    )
    here = Path(__file__).parent
    sources = [*here.glob("*.py"), *source_files(), here.parent / "tasks" / "frames.py"]
    sources += [Path(compiled.__file__), Path(so3.__file__)]
    return compiled.load_entry("control_kernels", text, sources)
