"""Motions over time: they end where they should, are continuous, and stay within their limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ruckig

import kilohertz.controller
from kilohertz.controller.joint_motion.plan_row import PlanRow
from kilohertz.controller.joint_motion.trajectory import Trajectory, curve_through
from kilohertz.controller.motion.motion_limits import MotionLimits
from kilohertz.robots.model.rows import Vector

LIMITS = MotionLimits(np.array([1.0, 2.0, 0.5]), np.array([5.0, 4.0, 10.0]), np.array([100.0, 200.0, 50.0]))
REST = np.zeros(3)


def ticks(trajectory: Trajectory) -> tuple[Vector, Vector, Vector]:
    rows = [np.stack([trajectory.q, trajectory.v, trajectory.a])]
    while not trajectory.done:
        trajectory.at(1e-3 * len(rows))
        rows.append(np.stack([trajectory.q, trajectory.v, trajectory.a]))
        assert len(rows) < 20_000
    q, v, a = np.moveaxis(np.array(rows), 1, 0)
    return q, v, a


def check_limits(v: Vector, a: Vector, limits: MotionLimits = LIMITS) -> None:
    assert (np.abs(v) <= limits.speed + 1e-9).all()
    assert (np.abs(a) <= limits.accel + 1e-9).all()
    assert (np.abs(np.diff(a, axis=0)) <= 1e-3 * limits.jerk + 1e-9).all()


@pytest.mark.parametrize("straight", [False, True])
def test_a_motion_ends_at_its_point_within_the_limits(straight: bool) -> None:
    plan, trajectory, rng = PlanRow.empty(3), Trajectory(LIMITS), np.random.default_rng(0)
    for _ in range(20):
        start, end = rng.uniform(-2.0, 2.0, (2, 3))
        plan.write_via(end[None], straight=straight)
        assert trajectory.begin(plan, start, REST, REST)
        q, v, a = ticks(trajectory)
        np.testing.assert_allclose(q[-1], end, atol=1e-9)
        check_limits(v, a)
        np.testing.assert_allclose(q[1:], q[:-1] + 0.5e-3 * (v[1:] + v[:-1]), atol=1e-6)
        if straight:
            part = (q - start) / (end - start)
            np.testing.assert_allclose(part, part[:, :1].repeat(3, axis=1), atol=2e-3)


def test_the_slowest_joint_takes_the_time_of_the_fastest_motion() -> None:
    plan, trajectory = PlanRow.empty(3), Trajectory(LIMITS)
    start, end = np.zeros(3), np.array([1.0, -1.5, 0.8])
    plan.write_via(end[None])
    assert trajectory.begin(plan, start, REST, REST)
    taken = 1e-3 * (len(ticks(trajectory)[0]) - 1)
    alone = []
    for i in range(3):
        given, one = ruckig.InputParameter(1), ruckig.Trajectory(1)
        given.target_position = [end[i]]
        given.max_velocity, given.max_acceleration, given.max_jerk = ([limit[i]] for limit in LIMITS)
        ruckig.Ruckig(1).calculate(given, one)
        alone.append(one.duration)
    assert taken == pytest.approx(max(alone), abs=2e-3)


def test_a_slower_motion_takes_the_same_way() -> None:
    fast, slow, end = PlanRow.empty(3), PlanRow.empty(3), np.array([1.0, 0.4, -0.3])
    fast.write_via(end[None])
    slow.write_via(end[None], slow=0.5)
    one, other = Trajectory(LIMITS), Trajectory(LIMITS)
    assert one.begin(fast, REST, REST, REST)
    assert other.begin(slow, REST, REST, REST)
    for t_s in np.arange(0.0, 5.0, 0.01):
        one.at(t_s)
        other.at(2.0 * t_s)
        np.testing.assert_allclose(other.q, one.q, atol=1e-9)
        np.testing.assert_allclose(2.0 * other.v, one.v, atol=1e-9)


def test_points_are_passed_with_their_velocity() -> None:
    plan, trajectory = PlanRow.empty(3), Trajectory(LIMITS)
    points, passing = np.array([[0.5, 0.3, 0.1], [1.0, 0.4, 0.0]]), np.zeros((2, 3))
    passing[0] = [0.5, 0.2, 0.0]
    plan.write_via(points, passing)
    assert trajectory.begin(plan, REST, REST, REST)
    q, v, a = ticks(trajectory)
    check_limits(v, a)
    near = int(np.abs(q - points[0]).max(axis=1).argmin())
    np.testing.assert_allclose(q[near], points[0], atol=1e-3)
    np.testing.assert_allclose(v[near], passing[0], atol=1e-2)
    np.testing.assert_allclose(q[-1], points[1], atol=1e-9)


def test_a_motion_begins_from_a_moving_arm_without_a_jump() -> None:
    plan, trajectory = PlanRow.empty(3), Trajectory(LIMITS)
    plan.write_via(np.array([[0.5, -0.3, 0.1]]))
    v, a = np.array([-0.8, 1.0, 0.2]), np.array([1.0, -2.0, 0.5])
    assert trajectory.begin(plan, REST, v, a)
    _, speeds, accels = ticks(trajectory)
    np.testing.assert_array_equal(speeds[0], v)
    check_limits(speeds, accels)


def test_a_stop_brakes_every_joint_within_its_limits() -> None:
    trajectory = Trajectory(LIMITS)
    trajectory.stop(REST, np.array([0.9, -1.5, 0.3]), np.array([2.0, 0.0, 1.0]))
    q, v, a = ticks(trajectory)
    check_limits(v, a)
    assert not v[-1].any()
    assert (q[-1] != 0.0).all()


def test_a_curve_goes_through_its_points_from_rest_to_rest() -> None:
    plan, trajectory = PlanRow.empty(3), Trajectory(LIMITS)
    s = np.linspace(0.0, 1.0, 12)[:, None]
    points = np.hstack([np.sin(2.0 * s), s**2, 0.2 * np.cos(3.0 * s)])
    plan.write_curve(points, (0.4, 1.0, 20.0))
    assert trajectory.begin(plan, points[0], REST, REST)
    q, v, _ = ticks(trajectory)
    for point in points:
        assert np.abs(q - point).max(axis=1).min() < 1e-3
    np.testing.assert_allclose(q[-1], points[-1], atol=1e-9)
    np.testing.assert_allclose(q[1:], q[:-1] + 0.5e-3 * (v[1:] + v[:-1]), atol=1e-6)
    np.testing.assert_allclose(curve_through(points)(np.linspace(0.0, 1.0, 12)), points, atol=1e-12)


def test_a_motion_that_does_not_exist_is_not_begun() -> None:
    trajectory, plan = Trajectory(LIMITS), PlanRow.empty(3)
    assert not trajectory.begin(plan, REST, REST, REST)
    plan.write_via(np.full((1, 3), np.nan))
    assert not trajectory.begin(plan, REST, REST, REST)
    assert trajectory.done


def test_no_motion_is_planned_by_a_remote_service() -> None:
    """Ruckig plans motions through intermediate points on a server of its maker."""
    package = Path(kilohertz.controller.__file__).parents[1]
    for folder in ("controller", "estimators", "robots", "rt", "sim"):
        root = package / folder
        if folder == "controller":
            root = Path(kilohertz.controller.__file__).parent
        for path in root.rglob("*.py"):
            text = path.read_text()
            if "ruckig" in text:
                assert "intermediate_positions" not in text, path
                assert "filter_intermediate" not in text, path
                assert "max_number_of_waypoints" not in text, path
