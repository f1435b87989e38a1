"""Kernels as the plain Python that they are written in: the twin that says what compiled code is to do."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from kilohertz.robots.compile.kernel_compiler import Kernel


def plain(kernel: Any) -> Callable[..., Any]:
    """A kernel that nothing is compiled of, nor of the kernels that it calls."""
    function = kernel.py_func
    names = {
        name: plain(value) if isinstance(value, Kernel) else value
        for name, value in function.__globals__.items()
        if name in function.__code__.co_names
    }
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__)
