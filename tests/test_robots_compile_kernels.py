"""Kernels: what they keep of floating point, and who can call them."""

import numba
import numpy as np
import pytest

from kilohertz.robots.compile.kernels import KERNEL_OPTIONS, exact_kernel, inner_kernel, kernel


def test_a_kernel_keeps_what_nan_and_infinity_mean() -> None:
    @kernel
    def is_bad(x: float) -> bool:
        return not np.isfinite(x)

    assert is_bad(np.nan)
    assert is_bad(np.inf)
    assert not is_bad(1.0)


def test_kernels_call_each_other_and_only_some_can_be_called_from_python() -> None:
    @inner_kernel
    def square(x: float) -> float:
        return x * x

    @kernel
    def sum_of_squares(a: np.ndarray) -> float:
        total = 0.0
        for x in a:
            total += square(x)
        return total

    @numba.njit("f8(f8[::1])")
    def entry(a):
        return sum_of_squares(a) + square(a[0])

    a = np.array([1.0, 2.0, 3.0])
    assert sum_of_squares(a) == 14.0
    assert entry(a) == 15.0
    # Compiled by now for compiled code: a call from Python must still not go there.
    assert sum_of_squares(a) == 14.0
    with pytest.raises(TypeError, match="only compiled code"):
        square(2.0)


def test_an_exact_kernel_gives_the_bits_of_python() -> None:
    def polynomial(s: float) -> float:
        return s * s * s * (10.0 - 15.0 * s + 6.0 * s * s) + (s + 1e16) - 1e16

    exact = exact_kernel(polynomial)

    @numba.njit("f8(f8)", **KERNEL_OPTIONS)
    def entry(s):
        return exact(s)

    for s in np.random.default_rng(0).uniform(-2.0, 2.0, 200).tolist():
        assert entry(s) == exact(s) == polynomial(s)
