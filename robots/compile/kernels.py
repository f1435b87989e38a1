"""Decorators that compile the kernels of the tick, and conversion of addresses to pointers for compiled code.

No kernel is cached by itself: numba's own cache checks only the file of the cached function, so that after an
edit of a callee in another file it silently keeps the old machine code (measured). Generated entry points are
cached instead, see `kilohertz.robots.compile.cached_entry`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import types as numba_types
from numba.extending import intrinsic

from kilohertz.robots.compile.kernel_compiler import Kernel

types: Any = numba_types  # type checkers do not know its pointer types, which are created at run time

F = TypeVar("F", bound=Callable[..., Any])

# Without nnan and ninf, so that NaN and infinity are handled correctly: the checks after a solve need them.
FASTMATH = {"reassoc", "nsz", "arcp", "contract"}
KERNEL_OPTIONS: dict[str, Any] = {"fastmath": FASTMATH, "error_model": "numpy"}


def kernel(function: F) -> F:
    """Jits a function that compiled code calls, and that tests and set-up may also call from Python.

    A call from Python compiles the function again in every process, so the tick must not call it from Python.
    """
    compiled: F = Kernel(function, KERNEL_OPTIONS, from_python=numba.njit(**KERNEL_OPTIONS)(function))
    return compiled


def struct_kernel(function: F) -> F:
    """Jits a kernel that takes structs and allocates nothing; compiled code and Python can call it.

    The kernel is compiled without reference counting. Counting the references to every array of a struct at
    every call took 3.5 us of the 9 us of the estimator's tick (measured).
    """
    compiled: F = Kernel(
        function, {**KERNEL_OPTIONS, "_nrt": False}, from_python=numba.njit(**KERNEL_OPTIONS)(function)
    )
    return compiled


def inner_kernel(function: F, *, may_copy: bool = False) -> F:
    """Jits a function that only compiled code calls.

    The function is compiled without reference counting, so that a function that allocates does not compile.

    Args:
        function: function to compile.
        may_copy: whether to allow assignments of one array to another, such as `T[r] = J[r]`, which numba
            compiles as a possible copy.
    """
    compiled: F = Kernel(function, {**KERNEL_OPTIONS, "_nrt": may_copy}, from_python=None)
    return compiled


def exact_kernel(function: F) -> F:
    """Jits a function whose results are, to the bit, those of the same expressions in Python.

    The compiler neither fuses nor reorders its operations, unlike those of a `kernel`. Meant for references
    that are a few operations long, where speed does not matter. It can be called like a `kernel`.
    """
    # Without the option, numba would compile it with the fast math of the entry point that calls it.
    options = {**KERNEL_OPTIONS, "fastmath": False}
    compiled: F = Kernel(function, options, from_python=numba.njit(**options)(function))
    return compiled


@intrinsic
def float_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """Converts an integer address to a float64 pointer, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())

    return types.CPointer(types.float64)(types.intp), generate


@intrinsic
def int_pointer(typing_context, address):  # type: ignore[no-untyped-def]
    """Converts an integer address to an int64 pointer, for `numba.carray` in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.intp), generate


@intrinsic
def as_float(typing_context, bits):  # type: ignore[no-untyped-def]
    """Reinterprets the bits of an int64 as a float64, in compiled code."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate
