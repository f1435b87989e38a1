"""Binding of compiled kernels to structs: one generated entry point that calls the kernels one after another.

Structs are named tuples of arrays whose memory never moves. They are bound once, by address, see
`kilohertz.robots.compile.struct_table`. Values that change from call to call (sensor row, period) are
ordinary arguments. The entry point is generated, so it is compiled ahead and cached as a whole.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile.cached_entry import COMPILE_S
from kilohertz.robots.compile.import_closure import sources_of
from kilohertz.robots.compile.struct_table import (
    MAX_DIMENSIONS,
    TABLE,
    TABLE_TYPE,
    StructTable,
    array_source,
)


def bind(
    name: str,
    kernels: Sequence[Callable[..., Any]],
    *,
    call: Mapping[str, str],
    structs: Mapping[str, Any] | None = None,
    persistent: Mapping[str, NDArray[Any]] | None = None,
    returns: str = "void",
    expected_s: float = COMPILE_S,
) -> Callable[..., Any]:
    """Binds kernels to the structs that they read and write.

    Args:
        name: name of the compiled module, see `load_entry`.
        kernels: kernels, called in this order; each parameter must have the name of an entry of `call`,
            `structs` or `persistent`.
        call: numba types of the arguments of each call, by name, in order.
        structs: NamedTuples by name, see `StructTable.of`. References to them are kept. Structs that are not
            a parameter of any kernel are ignored.
        persistent: single arrays by name, bound like `structs`.
        returns: numba type of the result of the last kernel.
        expected_s: expected compile time, see `load_entry` [s].

    Returns:
        A function of the arguments of `call`. It is compiled by the time `load_pending` returns.

    Raises:
        TypeError: compiled code cannot read a field of a struct.
        ValueError: a kernel's parameter has no entry of that name, or two kernels have the same name.
    """
    structs, persistent = structs or {}, persistent or {}
    needed: set[str] = set()
    names: dict[str, Callable[..., Any]] = {}
    for kernel in kernels:
        if names.setdefault(kernel.__name__, kernel) is not kernel:
            raise ValueError(f"two kernels are named {kernel.__name__}")
        parameters = _parameters(kernel)
        missing = [p for p in parameters if p not in call and p not in structs and p not in persistent]
        if missing:
            raise ValueError(f"{kernel.__name__} needs {', '.join(missing)}")
        needed.update(parameters)
    used = {key: struct for key, struct in structs.items() if key in needed}
    arrays = {key: array for key, array in persistent.items() if key in needed}
    table, text = _generate(kernels, call, used, arrays, returns)
    modules = {kernel.__module__ for kernel in kernels} | {type(s).__module__ for s in used.values()}
    sources = {path for module in modules for path in sources_of(module)}

    def compile_first(*args: Any) -> Any:
        """Compiles the entry point on the first call, if it is not compiled yet, and calls it."""
        compile_ahead.load_pending()
        return bound(*args[1:])

    # A call of a `partial` interprets no bytecode, unlike a Python function that passes the table on.
    bound: Any = functools.partial(compile_first, table)
    # References to the structs, because the table contains the addresses of their arrays.
    bound.alive = used, arrays

    def use(module: ModuleType) -> None:
        bound.__setstate__((module.entry, (table,), {}, vars(bound)))

    compile_ahead.load_later(name, text, sources, expected_s, use)
    entry: Callable[..., Any] = bound
    return entry


def _parameters(kernel: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(kernel.py_func).parameters)  # type: ignore[attr-defined]


def _generate(
    kernels: Sequence[Callable[..., Any]],
    call: Mapping[str, str],
    structs: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    returns: str,
) -> tuple[NDArray[np.int64], str]:
    """Returns the table of addresses of everything that is bound, and the source of the entry point.

    The arguments are those of `bind`, without the entries that no kernel uses.
    """
    bound = StructTable.of(structs)
    rows, views = [*bound.table.tolist()], [*bound.lines]
    for key, array in arrays.items():
        source, row = array_source(len(rows), array, key)
        views.append(f"{key} = {source}")
        rows.append(row)
    bodies = [f"{kernel.__name__}({', '.join(_parameters(kernel))})" for kernel in kernels]
    bodies[-1] = f"return {bodies[-1]}"
    types = ", ".join([TABLE_TYPE, *call.values()])
    text = "\n".join(
        [
            "import numba",
            *bound.imports,
            *(f"from {kernel.__module__} import {kernel.__name__}" for kernel in kernels),
            "",
            f'@numba.njit("{returns}({types})", cache=True, **KERNEL_OPTIONS)',
            f"def entry({', '.join([TABLE, *call])}):",
            *(f"    {line}" for line in (*views, *bodies)),
            "",
        ]
    )
    return np.array(rows, np.int64).reshape(-1, 1 + MAX_DIMENSIONS), text
