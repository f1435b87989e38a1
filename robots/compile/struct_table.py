"""Named tuples of arrays for compiled code: one table of addresses instead of dozens of arguments.

Unwrapping a NumPy array for compiled code takes about 0.1 us, and a tick reads more than a hundred arrays
whose memory never moves. Their addresses and shapes are written into one table at set-up. From this table a
generated entry point rebuilds the same named tuples, of the same types, so that a kernel reads `kin.q` as
Python does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_DIMENSIONS = 3
POINTERS = {"float64": "float_pointer", "int64": "int_pointer"}

TABLE = "A"
"""Name of the table in generated source."""
TABLE_TYPE = "i8[:, ::1]"
"""numba type of the table."""
IMPORTS = (
    "from numba import carray",
    "from kilohertz.robots.compile.kernels import KERNEL_OPTIONS, as_float, float_pointer, int_pointer",
)
"""Import lines that generated source needs to rebuild structs, in addition to the imports of their types."""


@dataclass(frozen=True)
class StructTable:
    """Structs in the form that compiled code receives.

    Attributes:
        table: (n, 4) one row for each field: address and shape of an array, or the bits of a number.
        imports: source lines that import the types of the structs and the functions that rebuild them.
        lines: source lines `name = Type(carray(...), ...)` that rebuild the structs from the table `A`.
    """

    table: NDArray[np.int64]
    imports: tuple[str, ...]
    lines: tuple[str, ...]

    @classmethod
    def of(cls, structs: Mapping[str, Any]) -> StructTable:
        """Returns the table for some structs.

        Args:
            structs: NamedTuples by their name in the compiled code. The fields are C-contiguous float64 or
                int64 arrays of one to three dimensions, or numbers (bool, int or float). Compiled code reads
                and writes the arrays in place, so the caller must keep references to them. A number is copied
                once, now.

        Raises:
            TypeError: compiled code cannot read a field.
        """
        rows: list[list[int]] = []
        imports = list(IMPORTS)
        kinds: dict[str, type] = {}
        lines = []
        for name, struct in structs.items():
            kind = type(struct)
            members = []
            for field, value in zip(kind._fields, struct, strict=True):
                source, row = _field(len(rows), value, f"{name}.{field}")
                members.append(source)
                rows.append(row)
            # Types of the same name from two modules get different names.
            known = kinds.setdefault(kind.__name__, kind) is kind
            type_name = kind.__name__ if known else f"{kind.__name__}_of_{name}"
            renamed = "" if known else f" as {type_name}"
            imports.append(f"from {kind.__module__} import {kind.__name__}{renamed}")
            lines.append(f"{name} = {type_name}({', '.join(members)})")
        table = np.array(rows, np.int64).reshape(-1, 1 + MAX_DIMENSIONS)
        return cls(table, tuple(dict.fromkeys(imports)), tuple(lines))


def array_source(row: int, array: Any, name: str) -> tuple[str, list[int]]:
    """Returns the source expression that rebuilds an array from a row of the table, and that row.

    Args:
        row: index of the row in the table.
        array: array to rebuild.
        name: name of the array, for the message of an error.

    Raises:
        TypeError: compiled code cannot address the array.
    """
    if not (
        isinstance(array, np.ndarray)
        and array.flags.c_contiguous
        and array.dtype.name in POINTERS
        and 1 <= array.ndim <= MAX_DIMENSIONS
    ):
        raise TypeError(
            f"{name} is not a C-contiguous float64 or int64 array of 1 to {MAX_DIMENSIONS} dimensions"
        )
    shape = "".join(f"{TABLE}[{row}, {1 + axis}], " for axis in range(array.ndim))
    source = f"carray({POINTERS[array.dtype.name]}({TABLE}[{row}, 0]), ({shape}))"
    return source, [array.ctypes.data, *array.shape, *[0] * (MAX_DIMENSIONS - array.ndim)]


def _field(row: int, value: Any, name: str) -> tuple[str, list[int]]:
    if isinstance(value, bool):
        return f"{TABLE}[{row}, 0] != 0", [int(value), 0, 0, 0]
    if isinstance(value, int):
        return f"{TABLE}[{row}, 0]", [value, 0, 0, 0]
    if isinstance(value, float):
        return f"as_float({TABLE}[{row}, 0])", [int(np.float64(value).view(np.int64)), 0, 0, 0]
    return array_source(row, value, name)
