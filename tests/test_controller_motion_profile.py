"""Smooth references: where they begin and end, and that what is called a derivative is one."""

import numpy as np
import pytest

from kilohertz.controller.motion.profile import Blend, minimum_jerk


def test_a_minimum_jerk_step_begins_and_ends_at_rest():
    assert minimum_jerk(-1.0) == (0.0, 0.0, 0.0)
    assert minimum_jerk(0.0) == (0.0, 0.0, 0.0)
    assert minimum_jerk(1.0) == (1.0, 0.0, 0.0)
    assert minimum_jerk(2.0) == (1.0, 0.0, 0.0)
    np.testing.assert_allclose(minimum_jerk(1e-9), 0.0, atol=1e-6)
    np.testing.assert_allclose(minimum_jerk(1.0 - 1e-9), [1.0, 0.0, 0.0], atol=1e-6)


def test_slope_and_curvature_are_derivatives():
    h = 1e-5
    for s in np.linspace(0.01, 0.99, 50):
        before, here, after = minimum_jerk(s - h), minimum_jerk(s), minimum_jerk(s + h)
        assert here[1] == pytest.approx((after[0] - before[0]) / (2 * h), abs=1e-7)
        assert here[2] == pytest.approx((after[1] - before[1]) / (2 * h), abs=1e-6)


def test_it_rises_and_is_fastest_in_the_middle():
    values = np.array([minimum_jerk(s) for s in np.linspace(0, 1, 101)])
    assert (np.diff(values[:, 0]) > 0).all()
    assert values[:, 1].argmax() == 50
    assert values[50, 1] == pytest.approx(1.875)


def blended(blend, dt, ticks):
    """What the blend adds in each tick."""
    out = np.zeros((ticks, 3, 3))
    for k in range(ticks):
        blend.add(*out[k], dt)
    return out


def test_a_blend_starts_at_the_difference_and_ends_at_nothing():
    difference = np.array([[0.1, -0.2, 0.3], [1.0, 0.5, -0.4], [2.0, 0.0, -3.0]])
    blend = Blend(0.5)
    blend.start(*difference)
    np.testing.assert_allclose(blended(blend, 1e-7, 1)[0], difference, atol=1e-4)
    added = blended(blend, 1e-3, 600)
    np.testing.assert_allclose(added[498], 0.0, atol=0.2)
    np.testing.assert_array_equal(added[500:], 0.0)


def test_a_blend_adds_a_motion_with_its_derivatives():
    blend = Blend(0.5)
    blend.start(*np.random.default_rng(0).normal(size=(3, 3)))
    added = blended(blend, 1e-3, 499)
    for order in (0, 1):
        slope = (added[2:, order] - added[:-2, order]) / 2e-3
        np.testing.assert_allclose(slope, added[1:-1, order + 1], atol=2e-2)


def test_a_blend_that_was_never_started_adds_nothing():
    np.testing.assert_array_equal(blended(Blend(0.5), 1e-3, 5), 0.0)
