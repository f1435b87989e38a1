"""Runs kernels as plain Python, without compilation, as the reference for the compiled code."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from kilohertz.robots.compile.kernel_compiler import Kernel


def plain(kernel: Any) -> Callable[..., Any]:
    """Returns a kernel as a plain Python function; kernels that it calls are not compiled either."""
    function = kernel.py_func
    names = {
        name: plain(value) if isinstance(value, Kernel) else value
        for name, value in function.__globals__.items()
        if name in function.__code__.co_names
    }
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__)
