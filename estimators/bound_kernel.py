"""Compiled kernels strung into one entry point that finds its many persistent arrays by address.

Unwrapping a NumPy array for compiled code takes about 0.1 us, and an estimator has dozens that never
move. Their addresses and shapes go into one table when the kernels are bound; a generated entry point
turns them back into arrays and calls the kernels one after another, each with the arrays its parameters
name. What changes from call to call (rows, period) is passed as it is.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robots import compiled

POINTERS = {"float64": "float_pointer", "int64": "int_pointer"}


def bind(
    name: str,
    kernels: Sequence[Callable[..., Any]],
    *,
    call: Mapping[str, str],
    persistent: Mapping[str, NDArray[Any]],
    returns: str = "void",
) -> Callable[..., Any]:
    """Binds kernels to their persistent arrays.

    Args:
        name: of the compiled module, see `load_entry`.
        kernels: called in this order; each parameter is named in `call` or `persistent`.
        call: numba types of the arguments given with each call, by name, in order.
        persistent: arrays by name, float64 or int64 and C-contiguous; they are kept alive. Those that no
            kernel names are left out.
        returns: numba type of what the last kernel returns.

    Returns:
        A function of the arguments of `call`.

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
            "from robots.compiled import KERNEL_OPTIONS, float_pointer, int_pointer",
            *imports,
            "",
            f'@numba.njit("{returns}(i8[::1], {", ".join(call.values())})", cache=True, **KERNEL_OPTIONS)',
            f"def entry(table, {', '.join(call)}):",
            *(f"    {line}" for line in (*views, *bodies)),
            "",
        ]
    )
    sources = {path for kernel in kernels for path in sources_of(kernel.__module__)}
    entry = compiled.load_entry(name, text, sources).entry
    table = np.array(entries, dtype=np.int64)

    def bound(*args: Any, _table: NDArray[np.int64] = table, _alive: Any = alive) -> Any:
        return entry(_table, *args)

    return bound


def sources_of(module: str) -> set[Path]:
    """Files of this project that a module is made of: its own, and those of what it imports to run."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found[name] = Path(spec.origin)
        # Imports for type checkers only are indented, and do not count.
        waiting += re.findall(
            r"^from ((?:controller|estimators|robots)\.[\w.]+) import", found[name].read_text(), re.MULTILINE
        )
    return set(found.values())
