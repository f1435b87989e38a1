"""Tests of the pursuit of a streamed target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.controller.streams.follower import Follower
from kilohertz.robots.compile.ahead import load_pending

DT_S = 1e-3
SPEED, ACCEL, JERK = 1.0, 8.0, 200.0


@pytest.fixture(scope="module")
def follower() -> Follower:
    made = Follower([SPEED] * 2, [ACCEL] * 2, [JERK] * 2, DT_S)
    load_pending()
    return made


def follow(follower: Follower, targets: np.ndarray, rates: np.ndarray) -> dict[str, np.ndarray]:
    """Runs through targets (n,) with their rates of both coordinates, from rest at the origin."""
    follower.place(np.zeros(2), np.zeros(2), np.zeros(2))
    xs, vs, accels = [], [], []
    for p, v in zip(targets, rates, strict=True):
        follower.p_des[:], follower.v_des[:] = p, v
        follower.advance(DT_S)
        xs.append(follower.x[0])
        vs.append(follower.v[0])
        accels.append(follower.a[0])
    return {"x": np.array(xs), "v": np.array(vs), "a": np.array(accels)}


def test_a_steadily_moving_target_is_followed_without_an_error(follower: Follower) -> None:
    t = np.arange(3000) * DT_S
    ran = follow(follower, 0.5 * t, np.full(3000, 0.5))
    assert abs(ran["x"][-1] - 0.5 * (t[-1] + DT_S)) < 1e-3
    assert abs(ran["v"][-1] - 0.5) < 1e-6


def test_a_sine_is_followed_within_a_millimetre_at_the_acceleration_of_the_sine(follower: Follower) -> None:
    t = np.arange(6000) * DT_S
    w = np.pi
    ran = follow(follower, 0.1 * np.sin(w * t), 0.1 * w * np.cos(w * t))
    error = ran["x"][2000:] - 0.1 * np.sin(w * t[2000:])
    assert np.sqrt(np.mean(error**2)) < 2e-3
    assert np.abs(ran["a"][2000:]).max() < 1.1 * 0.1 * w**2


def test_after_a_jump_the_limits_are_used_and_kept(follower: Follower) -> None:
    ran = follow(follower, np.full(2500, 1.0), np.zeros(2500))
    assert np.abs(ran["v"]).max() <= SPEED * (1 + 1e-9)
    assert ran["v"].max() > 0.95 * SPEED
    assert np.abs(ran["a"]).max() <= ACCEL * (1 + 1e-9)
    assert np.abs(np.diff(ran["a"])).max() <= JERK * DT_S * (1 + 1e-6)
    assert ran["x"].max() < 1.01
    assert abs(ran["x"][-1] - 1.0) < 1e-6
    # The fastest motion of 1 m with these limits takes 1.17 s.
    assert abs(ran["x"][1300] - 1.0) < 0.01


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-5, 5), st.integers(1, 200)), min_size=1, max_size=20))
def test_no_target_takes_speed_acceleration_or_jerk_beyond_the_limits(
    follower: Follower, jumps: list[tuple[float, float, int]]
) -> None:
    targets = np.concatenate([np.full(n, p) for p, _, n in jumps])
    rates = np.concatenate([np.full(n, v) for _, v, n in jumps])
    ran = follow(follower, targets, rates)
    assert np.isfinite(ran["x"]).all()
    # The filter keeps the speed only to within a few percent.
    assert np.abs(ran["v"]).max() <= 1.05 * SPEED
    assert np.abs(ran["a"]).max() <= ACCEL * (1 + 1e-6)
    assert np.abs(np.diff(ran["a"], prepend=0.0)).max() <= JERK * DT_S * (1 + 1e-6)


def test_a_longer_period_gives_the_same_motion(follower: Follower) -> None:
    follower.place(np.zeros(2), np.zeros(2), np.zeros(2))
    follower.p_des[:], follower.v_des[:] = 1.0, 0.0
    for _ in range(500):
        follower.advance(2.0 * DT_S)
    doubled = follower.x[0]
    ran = follow(follower, np.full(1000, 1.0), np.zeros(1000))
    assert doubled == pytest.approx(ran["x"][-1], abs=2e-3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
def test_a_target_that_is_no_number_leaves_the_state_where_it_is(follower: Follower, wrong: float) -> None:
    follower.place(np.array([0.2, -0.1]), np.zeros(2), np.zeros(2))
    for part in (follower.p_des, follower.v_des, follower.a_des):
        follower.p_des[:], follower.v_des[:], follower.a_des[:] = follower.x, 0.0, 0.0
        part[0] = wrong
        for _ in range(50):
            follower.advance(DT_S)
    np.testing.assert_allclose(follower.x, [0.2, -0.1], atol=1e-9)
    follower.a_des[:] = 0.0
