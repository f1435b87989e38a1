"""Binding a kernel to arrays: same answer as calling it, arrays kept alive, wrong arrays refused."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from kilohertz.estimators.joint_observer import take_sample
from kilohertz.robots.compile.bound_kernel import bind, sources_of


def bound(state, P, parameters):
    return bind(
        "joint_observer",
        [take_sample],
        call={"row": "f8[::1]", "dt": "f8"},
        persistent={"state": state, "P": P, "parameters": parameters},
        returns="b1",
    )


def arrays():
    return np.zeros((3, 4)), 1e-4 * np.eye(3), np.array([1e-8, 4e-4, 10.0, 0.03])


def test_bound_kernel_equals_the_kernel_and_keeps_its_arrays():
    ours, theirs = arrays(), arrays()
    call = bound(*ours)
    row = np.random.default_rng(0).normal(size=20)
    assert call(row, 1e-3)
    assert take_sample(row, 1e-3, *theirs)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    state = ours[0]
    before = state.copy()
    del ours
    gc.collect()
    assert call(row, 1e-3)
    assert not np.array_equal(state, before)


def test_two_bindings_of_one_kernel_do_not_share_arrays():
    first, second = arrays(), arrays()
    calls = bound(*first), bound(*second)
    calls[0](np.ones(20), 1e-3)
    assert first[0].any()
    assert not second[0].any()


@pytest.mark.parametrize("wrong", [np.zeros((3, 8))[:, ::2], np.zeros((3, 4), dtype=np.float32)])
def test_arrays_that_compiled_code_cannot_find_are_refused(wrong):
    _, P, parameters = arrays()
    with pytest.raises(ValueError, match="state must be"):
        bound(wrong, P, parameters)


def test_sources_are_what_the_kernel_is_made_of():
    names = {path.name for path in sources_of("kilohertz.estimators.floating_base_tick")}
    assert {"floating_base_tick.py", "so3.py", "inekf_layout.py", "kernels.py"} <= names
    assert not {"model.py", "config.py", "floating_base.py"} & names


def test_a_parameter_nobody_is_named_after_is_refused():
    with pytest.raises(ValueError, match="take_sample needs P"):
        bind(
            "x",
            [take_sample],
            call={"row": "f8[::1]", "dt": "f8"},
            persistent={"state": np.zeros((3, 4)), "parameters": np.zeros(4)},
        )
