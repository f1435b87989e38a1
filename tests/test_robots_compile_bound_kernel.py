"""Binding kernels to structs: same answer as calling them, arrays kept alive, wrong names refused."""

from __future__ import annotations

import gc
from typing import NamedTuple

import numpy as np
import pytest

from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.compile.kernels import kernel


class Cart(NamedTuple):
    position: np.ndarray
    mass_kg: float


class Path(NamedTuple):
    length: np.ndarray


@kernel
def push(cart, force_N, dt):
    for i in range(len(cart.position)):
        cart.position[i] += dt * dt * force_N[i] / cart.mass_kg


@kernel
def measure(cart, path):
    path.length[0] += np.abs(cart.position).sum()
    return path.length[0]


CALL = {"force_N": "f8[::1]", "dt": "f8"}


def pushed(cart, path):
    structs = {"cart": cart, "path": path, "unused": "no kernel asks for it"}
    return bind("test_cart", [push, measure], call=CALL, structs=structs, returns="f8")


def cart(n=2):
    return Cart(np.zeros(n), 4.0), Path(np.zeros(1))


def test_bound_kernels_run_in_their_order_on_the_structs_that_they_name():
    ours, path = cart()
    call = pushed(ours, path)
    assert call(np.array([8.0, -16.0]), 0.5) == 0.5 + 1.0
    np.testing.assert_array_equal(ours.position, [0.5, -1.0])
    assert call(np.array([8.0, -16.0]), 0.5) == 1.5 + 3.0
    assert path.length[0] == 4.5


def test_a_bound_kernel_keeps_its_arrays_alive():
    ours, path = cart()
    call = pushed(ours, path)
    position = ours.position
    del ours, path
    gc.collect()
    call(np.ones(2), 1.0)
    np.testing.assert_array_equal(position, [0.25, 0.25])


def test_two_bindings_of_one_kernel_do_not_share_arrays():
    first, second = cart(2), cart(3)
    calls = pushed(*first), pushed(*second)
    calls[0](np.ones(2), 1.0)
    assert first[0].position.any()
    assert not second[0].position.any()
    assert calls[1](np.ones(3), 1.0) == 0.75


def test_a_parameter_nothing_is_named_after_is_refused():
    with pytest.raises(ValueError, match="measure needs path"):
        bind("test_cart", [measure], call={}, structs={"cart": cart()[0]})


def test_two_kernels_of_one_name_are_refused():
    twin = kernel(measure.py_func)
    structs = dict(zip(("cart", "path"), cart(), strict=True))
    with pytest.raises(ValueError, match="two kernels are named measure"):
        bind("test_cart", [measure, twin], call={}, structs=structs)


def test_an_array_that_compiled_code_cannot_address_is_refused_by_name():
    ours, path = cart()
    with pytest.raises(TypeError, match=r"cart\.position is not"):
        pushed(ours._replace(position=np.zeros(4)[::2]), path)


@kernel
def double(numbers):
    for i in range(len(numbers)):
        numbers[i] *= 2.0


def test_single_arrays_are_bound_by_the_name_of_a_parameter():
    numbers = np.arange(3.0)
    bind("test_double", [double], call={}, persistent={"numbers": numbers, "unused": np.zeros(1)})()
    np.testing.assert_array_equal(numbers, [0.0, 2.0, 4.0])


@pytest.mark.parametrize("wrong", [np.zeros(8)[::2], np.zeros(4, dtype=np.float32)])
def test_single_arrays_that_compiled_code_cannot_address_are_refused(wrong):
    with pytest.raises(TypeError, match="numbers is not"):
        bind("test_double", [double], call={}, persistent={"numbers": wrong})
