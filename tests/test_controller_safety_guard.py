"""For every input the guard's output is finite, within torque limits and rate-limited."""

import numpy as np
import pytest
from bodies import robot
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.controller.gains.schema import GuardGains
from kilohertz.controller.safety.guard import Guard

MODEL = robot("ur5")
LIMIT = MODEL.torque_limit_Nm
RATE_PER_S, DT_S = 100.0, 1e-3
STEP = LIMIT * RATE_PER_S * DT_S
MIDDLE = np.array(MODEL.q_nominal)
BEYOND_RAD = 0.02

anything = st.floats(allow_nan=True, allow_infinity=True, width=64)
torques = st.lists(st.one_of(anything, st.floats(-400, 400)), min_size=6, max_size=6).map(np.array)
positions = st.lists(st.one_of(anything, st.floats(-7, 7)), min_size=6, max_size=6).map(np.array)


def guard(rate=RATE_PER_S):
    return Guard(MODEL, GuardGains(torque_rate_per_s=rate), DT_S)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(torques, positions), min_size=1, max_size=12))
def test_every_input_gives_a_finite_torque_within_limits(ticks):
    chain, before = guard(), None
    for wish, q in ticks:
        tau = wish.copy()
        accepted = chain.apply(tau, q)
        assert accepted == np.isfinite(wish).all()
        assert np.isfinite(tau).all()
        assert (np.abs(tau) <= LIMIT).all()
        above, below = q > MODEL.position_upper_rad + BEYOND_RAD, q < MODEL.position_lower_rad - BEYOND_RAD
        # The rate comes last of all: outward torque beyond a limit goes as fast as that lets it, never up.
        still = np.zeros(6) if before is None else np.maximum(np.abs(before) - STEP, 0.0)
        assert (tau[above] <= still[above] + 1e-9).all()
        assert (tau[below] >= -still[below] - 1e-9).all()
        if before is not None:
            assert (np.abs(tau - before) <= STEP + 1e-9).all()
        before = tau.copy()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_torque_that_grows_without_bound_is_followed_at_the_rate_up_to_the_limit(sign):
    chain, trace = guard(), []
    chain.apply(np.zeros(6), MIDDLE)
    for _ in range(12):
        tau = np.full(6, sign * 1e6)
        chain.apply(tau, MIDDLE)
        trace.append(tau)
    expected = np.minimum(np.outer(np.arange(1, 13), STEP), LIMIT)
    np.testing.assert_allclose(np.array(trace), sign * expected, rtol=1e-12)
    assert chain.clipped == 12


def test_a_safe_torque_passes_untouched():
    chain, rng = guard(), np.random.default_rng(0)
    tau = 0.1 * LIMIT
    for _ in range(20):
        tau = tau + 0.5 * STEP * rng.uniform(-1, 1, 6)
        out = tau.copy()
        assert chain.apply(out, MIDDLE)
        np.testing.assert_array_equal(out, tau)
    assert chain.clipped == chain.refused == 0


def test_the_first_torque_after_a_reset_may_be_anywhere_inside_the_limits():
    chain = guard()
    chain.apply(np.zeros(6), MIDDLE)
    chain.reset()
    tau = 0.9 * LIMIT
    chain.apply(tau, MIDDLE)
    np.testing.assert_array_equal(tau, 0.9 * LIMIT)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_repeats_the_last_torque_and_is_counted(bad):
    chain = guard()
    last = 0.3 * LIMIT
    chain.apply(last, MIDDLE)
    tau = 0.3 * LIMIT
    tau[2] = bad
    assert not chain.apply(tau, MIDDLE)
    np.testing.assert_array_equal(tau, 0.3 * LIMIT)
    assert chain.refused == 1


def test_after_a_reset_nothing_of_before_is_repeated():
    chain = guard()
    chain.apply(0.5 * LIMIT, MIDDLE)
    chain.reset()
    tau = np.full(6, np.nan)
    assert not chain.apply(tau, MIDDLE)
    np.testing.assert_array_equal(tau, 0.0)


@pytest.mark.parametrize("wish", [1.0, np.nan])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_beyond_its_limit_a_joint_loses_outward_torque_even_in_bad_ticks(wish, side):
    chain = guard()
    chain.apply(side * 0.5 * LIMIT, MIDDLE)
    limit = MODEL.position_upper_rad if side > 0 else MODEL.position_lower_rad
    for left in (0.4, 0.3, 0.2, 0.1, 0.0, 0.0):
        tau = side * wish * LIMIT
        chain.apply(tau, limit + side * BEYOND_RAD)
        np.testing.assert_allclose(tau, side * left * LIMIT, atol=1e-12)


def test_inward_torque_is_free_beyond_the_limit():
    chain = guard()
    q = MODEL.position_upper_rad + BEYOND_RAD
    chain.apply(np.zeros(6), q)
    tau = -0.05 * LIMIT
    assert chain.apply(tau, q)
    np.testing.assert_array_equal(tau, -0.05 * LIMIT)


def test_a_nan_position_does_not_limit_torque():
    chain, tau = guard(), 0.01 * LIMIT
    assert chain.apply(tau, np.full(6, np.nan))
    np.testing.assert_array_equal(tau, 0.01 * LIMIT)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_change_of_a_thousandth_of_a_newton_metre_is_rounding(sign):
    chain = guard()
    for beyond_Nm, clipped in ((0.99e-3, 0), (1.01e-3, 1), (0.0, 1), (5.0, 2)):
        chain.reset()
        tau = sign * (LIMIT + beyond_Nm)
        assert chain.apply(tau, MIDDLE)
        np.testing.assert_array_equal(tau, sign * LIMIT)
        assert chain.clipped == clipped
    assert chain.refused == 0


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("beyond_rad", "left"), [(0.0099, 0.3), (0.0101, 0.0)])
def test_outward_torque_ends_a_hundredth_of_a_radian_beyond_the_limit(side, beyond_rad, left):
    chain = guard()
    limit = MODEL.position_upper_rad if side > 0 else MODEL.position_lower_rad
    tau = side * 0.3 * LIMIT
    assert chain.apply(tau, limit + side * beyond_rad)
    np.testing.assert_array_equal(np.abs(tau), left * LIMIT)


def test_one_joint_at_its_limit_or_that_grows_too_fast_leaves_the_others_alone():
    chain = guard()
    chain.apply(np.zeros(6), MIDDLE)
    tau, q = 0.5 * STEP, MIDDLE.copy()
    tau[1], q[4] = 5.0 * STEP[1], MODEL.position_upper_rad[4] + BEYOND_RAD
    assert chain.apply(tau, q)
    expected = 0.5 * STEP
    expected[1], expected[4] = STEP[1], 0.0
    np.testing.assert_allclose(tau, expected, rtol=1e-12)
    assert chain.clipped == 1


def test_what_is_not_a_number_counts_as_refused_and_not_as_clipped():
    chain = guard()
    chain.apply(0.3 * LIMIT, MIDDLE)
    for refused in (1, 2):
        tau = np.full(6, np.nan)
        assert not chain.apply(tau, MIDDLE)
        np.testing.assert_array_equal(tau, 0.3 * LIMIT)
        assert (chain.clipped, chain.refused) == (0, refused)


def test_a_slow_rate_is_kept_from_either_side():
    chain = guard(rate=1.0)
    chain.apply(np.zeros(6), MIDDLE)
    for sign in (1.0, -1.0):
        chain.reset()
        chain.apply(sign * 0.5 * LIMIT, MIDDLE)
        tau = -sign * 0.5 * LIMIT
        chain.apply(tau, MIDDLE)
        np.testing.assert_allclose(tau, sign * (0.5 - 1e-3) * LIMIT, rtol=1e-12)
