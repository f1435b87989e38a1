"""Compiled kernels strung into one entry point that finds its many persistent arrays by address.

Unwrapping a NumPy array for compiled code takes about 0.1 us, and an estimator has dozens that never
move. Their addresses and shapes go into one table when the kernels are bound; a generated entry point
turns them back into arrays and calls the kernels one after another, each with the arrays its parameters
name. What changes from call to call (rows, period) is passed as it is.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile import ahead as compile_ahead
from kilohertz.robots.compile.kernels import COMPILE_S

PROJECT = __name__.partition(".")[0]
POINTERS = {"float64": "float_pointer", "int64": "int_pointer"}


def bind(
    name: str,
    kernels: Sequence[Callable[..., Any]],
    *,
    call: Mapping[str, str],
    persistent: Mapping[str, NDArray[Any]],
    returns: str = "void",
    expected_s: float = COMPILE_S,
) -> Callable[..., Any]:
    """Binds kernels to their persistent arrays.

    Args:
        name: of the compiled module, see `load_entry`.
        kernels: called in this order; each parameter is named in `call` or `persistent`.
        call: numba types of the arguments given with each call, by name, in order.
        persistent: arrays by name, float64 or int64 and C-contiguous; they are kept alive. Those that no
            kernel names are left out.
        returns: numba type of what the last kernel returns.
        expected_s: see `load_entry`.

    Returns:
        A function of the arguments of `call`; compiled when `load_pending` returns, at the latest.

    Raises:
        ValueError: an array that compiled code cannot find, or a parameter that nothing is named after.
    """
    bodies, imports, needed = [], [], set()
    for kernel in kernels:
        function = kernel.py_func  # type: ignore[attr-defined]
        parameters = list(inspect.signature(function).parameters)
        missing = [p for p in parameters if p not in call and p not in persistent]
        if missing:
            raise ValueError(f"{function.__name__} needs {', '.join(missing)}")
        needed.update(parameters)
        imports.append(f"from {function.__module__} import {function.__name__}")
        bodies.append(f"{function.__name__}({', '.join(parameters)})")
    bodies[-1] = f"return {bodies[-1]}"

    entries: list[int] = []
    views: list[str] = []
    alive = {key: array for key, array in persistent.items() if key in needed}
    for key, array in alive.items():
        if not array.flags.c_contiguous or array.dtype.name not in POINTERS:
            raise ValueError(f"{key} must be a C-contiguous array of float64 or int64")
        at = len(entries)
        entries += [array.ctypes.data, *array.shape]
        shape = "".join(f"table[{at + 1 + axis}], " for axis in range(array.ndim))
        views.append(f"{key} = numba.carray({POINTERS[array.dtype.name]}(table[{at}]), ({shape}))")
    text = "\n".join(
        [
            "import numba",
            "from kilohertz.robots.compile.kernels import KERNEL_OPTIONS, float_pointer, int_pointer",
            *imports,
            "",
            f'@numba.njit("{returns}(i8[::1], {", ".join(call.values())})", cache=True, **KERNEL_OPTIONS)',
            f"def entry(table, {', '.join(call)}):",
            *(f"    {line}" for line in (*views, *bodies)),
            "",
        ]
    )
    sources = {path for kernel in kernels for path in sources_of(kernel.__module__)}
    table = np.array(entries, dtype=np.int64)

    def entry(*args: Any) -> Any:
        """Stands in until the entry point is compiled."""
        compile_ahead.load_pending()
        return entry(*args)

    def use(module: ModuleType) -> None:
        nonlocal entry
        entry = module.entry

    def bound(*args: Any, _table: NDArray[np.int64] = table, _alive: Any = alive) -> Any:
        return entry(_table, *args)

    compile_ahead.load_later(name, text, sources, expected_s, use)
    return bound


def sources_of(module: str) -> set[Path]:
    """Files of this project that a module is made of: its own, and those of what it imports to run."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], imported = _file_and_imports(name)
            waiting += imported
    return set(found.values())


@functools.cache
def _file_and_imports(module: str) -> tuple[Path, list[str]]:
    """A module's file, and the modules of this project that it imports at its top."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin)
    imported = []
    # Imports for type checkers only are not at the top, and do not count.
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module is not None:
            names = [f"{statement.module}.{name.name}" for name in statement.names]
            imported += [statement.module, *(name for name in names if _is_module(name))]
        elif isinstance(statement, ast.Import):
            imported += [name.name for name in statement.names]
    return path, [name for name in imported if name.split(".")[0] == PROJECT]


def _is_module(name: str) -> bool:
    package, _, _ = name.rpartition(".")
    if package.split(".")[0] != PROJECT:
        return False
    # What is imported from a package may be a module of it; from a module it is something in it.
    spec = importlib.util.find_spec(package)
    is_package = spec is not None and spec.submodule_search_locations is not None
    return is_package and importlib.util.find_spec(name) is not None
