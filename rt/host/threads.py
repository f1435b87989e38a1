"""Limits BLAS and OpenMP to one thread: their workers are not real-time, and the tick would wait for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager

# Imported here and not when needed: a run may have given up the rights to read it by then.
from threadpoolctl import ThreadpoolController

MATH_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def limit_math_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets unset thread-count variables to 1; this has an effect only before numpy is imported."""
    for variable in MATH_THREAD_VARIABLES:
        environment.setdefault(variable, "1")


def math_thread_limit() -> Callable[[], AbstractContextManager[object]]:
    """How to keep the BLAS and OpenMP libraries that are loaded by now on one thread for a while.

    For a program that imported numpy before it knew of us, so that `limit_math_threads` comes too late.

    Returns:
        A function whose result is entered for as long as the limit is to hold; what was before is then
        restored. Entering takes about 60 us, making the function 10 ms.
    """
    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1)


def math_thread_problems(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Returns the thread-count variables that are not 1, as `NAME=value` or `NAME is not set`."""
    return [
        f"{variable}={environment[variable]}" if variable in environment else f"{variable} is not set"
        for variable in MATH_THREAD_VARIABLES
        if environment.get(variable) != "1"
    ]
