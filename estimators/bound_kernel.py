"""A compiled kernel whose many persistent arrays are found by address, so that a call costs next to nothing.

Unwrapping a NumPy array for compiled code takes about 0.1 us, and an estimator has dozens that never
move. Their addresses and shapes go into one table when the kernel is bound; a generated entry point turns
them back into arrays. What changes from call to call (rows, period) is passed as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robots import compiled

ROOM = Path(__file__).parent
POINTERS = {"float64": "float_pointer", "int64": "int_pointer"}


def bind(
    name: str,
    module: str,
    kernel: str,
    *,
    call: Mapping[str, str],
    persistent: Mapping[str, NDArray[Any]],
    returns: str,
    sources: Iterable[str],
) -> Callable[..., Any]:
    """Binds a kernel to its persistent arrays.

    Args:
        name: of the compiled module, see `load_entry`.
        module: that holds the kernel.
        kernel: name of the kernel; its first parameters are those of `call`, in order, then those of
            `persistent`, in order.
        call: numba types of the arguments given with each call, by name.
        persistent: arrays by name, float64 or int64 and C-contiguous; the bound kernel keeps them alive.
        returns: numba type of what the kernel returns.
        sources: modules of this room that the kernel depends on.

    Returns:
        A function of the arguments of `call`.
    """
    entries: list[int] = []
    lines: list[str] = []
    for key, array in persistent.items():
        if not array.flags.c_contiguous or array.dtype.name not in POINTERS:
            raise ValueError(f"{key} must be a C-contiguous array of float64 or int64")
        at = len(entries)
        entries += [array.ctypes.data, *array.shape]
        shape = "".join(f"table[{at + 1 + axis}], " for axis in range(array.ndim))
        lines.append(f"    {key} = numba.carray({POINTERS[array.dtype.name]}(table[{at}]), ({shape}))")
    arguments = ", ".join([*call, *persistent])
    text = "\n".join(
        [
            "import numba",
            "from robots.compiled import KERNEL_OPTIONS, float_pointer, int_pointer",
            f"from {module} import {kernel}",
            "",
            f'@numba.njit("{returns}(i8[::1], {", ".join(call.values())})", cache=True, **KERNEL_OPTIONS)',
            f"def entry(table, {', '.join(call)}):",
            *lines,
            f"    return {kernel}({arguments})",
            "",
        ]
    )
    paths = [Path(compiled.__file__), *(ROOM / f"{source}.py" for source in sources)]
    entry = compiled.load_entry(name, text, paths).entry
    table = np.array(entries, dtype=np.int64)
    alive = tuple(persistent.values())

    def bound(*args: Any, _table: NDArray[np.int64] = table, _alive: Any = alive) -> Any:
        return entry(_table, *args)

    return bound
