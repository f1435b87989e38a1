"""Planned motions of arms: to poses and joint positions, along lines, through points and around the body."""

from __future__ import annotations

import dataclasses

import numpy as np
import pinocchio as pin
import pytest
from bodies import ARMS, robot

from kilohertz.controller.joint_motion.body_geometry import body_geometry
from kilohertz.controller.joint_motion.inverse_kinematics import Goal
from kilohertz.controller.joint_motion.motion_check import SAMPLE_S, TORQUE_SHARE, MotionCheck
from kilohertz.controller.joint_motion.plan_row import SLOW, JointState, PlanRow
from kilohertz.controller.joint_motion.planner import MotionRefusedError, Planned, planner_of
from kilohertz.robots.model.robot_model import RobotModel

AROUND = ([1.6, 1.3, -2.0, -1.5, -2.0, 0.6, 0.2], [-1.4, 1.1, -0.8, -2.5, 0.7, 0.8, -2.5])
"""Two free postures of Panda; on the straight way between them it runs into itself or the ground."""


def setup(name: str) -> tuple[RobotModel, PlanRow, JointState]:
    model = robot(name)
    return model, PlanRow.empty(model.na), JointState.at_rest(model.q_nominal)


def check_limits(model: RobotModel, planned: Planned) -> None:
    motion = planned.motion
    assert (np.abs(motion.v) <= model.velocity_limit_rad_s).all()
    assert (np.abs(motion.a) <= model.acceleration_limit_rad_s2).all()
    jerk = np.abs(np.diff(motion.a, axis=0)) / SAMPLE_S
    assert (jerk <= model.jerk_limit_rad_s3).all()
    assert all(body_geometry(model).free(q) for q in motion.q)


@pytest.mark.parametrize("name", ARMS)
def test_a_pose_is_reached_within_the_limits(name: str) -> None:
    model, plan, start = setup(name)
    planner, hand = planner_of(model), model.hands[0]
    pose = planner.pose(model.q_nominal, hand)
    goal = Goal(hand, pose.translation + np.array([0.05, 0.3, -0.1]), pose.rotation.copy())
    planned = planner.to_pose(plan, start, goal)
    check_limits(model, planned)
    np.testing.assert_allclose(planner.pose(planned.motion.q[-1], hand).translation, goal.p_WH, atol=1e-4)


def test_a_way_leads_around_the_body() -> None:
    model, plan, _ = setup("panda")
    start, end = (np.array(q) for q in AROUND)
    free = body_geometry(model).free
    assert not all(free(start + part * (end - start)) for part in np.linspace(0.0, 1.0, 100))
    planned = planner_of(model).to_joints(plan, JointState.at_rest(start), end)
    assert plan.points > 1
    check_limits(model, planned)
    np.testing.assert_allclose(planned.motion.q[-1], end, atol=1e-9)


@pytest.mark.parametrize("name", ARMS)
def test_a_line_is_straight(name: str) -> None:
    model, plan, start = setup(name)
    planner, hand = planner_of(model), model.hands[0]
    pose = planner.pose(model.q_nominal, hand)
    way = np.array([0.05, 0.25, -0.1])
    planned = planner.along_line(plan, start, Goal(hand, pose.translation + way, None))
    check_limits(model, planned)
    for q in planned.motion.q[::10]:
        here = planner.pose(q, hand)
        off = here.translation - pose.translation
        assert np.linalg.norm(off - (off @ way) / (way @ way) * way) < 1e-4
        np.testing.assert_allclose(here.rotation, pose.rotation, atol=2e-3)
    slowly = planner.along_line(plan, start, Goal(hand, pose.translation + way, None), speed_m_s=0.1)
    assert slowly.motion.duration_s > np.linalg.norm(way) / 0.1


def test_a_line_out_of_reach_or_of_a_moving_arm_is_refused() -> None:
    model, plan, start = setup("ur5")
    planner, hand = planner_of(model), model.hands[0]
    p = planner.pose(model.q_nominal, hand).translation
    with pytest.raises(MotionRefusedError, match="path: line"):
        planner.along_line(plan, start, Goal(hand, p + np.array([1.5, 0.0, 0.0]), None))
    start.v[0] = 0.5
    with pytest.raises(MotionRefusedError, match="begins at rest"):
        planner.along_line(plan, start, Goal(hand, p, None))


@pytest.mark.parametrize("name", ARMS)
def test_points_are_passed_faster_than_with_stops(name: str) -> None:
    model, plan, start = setup(name)
    planner = planner_of(model)
    goals = [{0: 0.5}, {0: 0.9, 3: -1.8}, {0: 1.2, 3: -1.6}]
    stopping = planner.through(plan, start, goals, stop=True)
    assert not plan.v[:3].any()
    passing = planner.through(plan, start, goals, stop=False)
    assert passing.motion.duration_s < 0.9 * stopping.motion.duration_s
    for planned in (stopping, passing):
        check_limits(model, planned)
        for goal in goals:
            off = [np.abs(planned.motion.q[:, joint] - value) for joint, value in goal.items()]
            assert np.maximum.reduce(off).min() < 0.02
    np.testing.assert_allclose(passing.end, stopping.end)


def test_what_is_out_of_reach_is_refused_with_the_nearest() -> None:
    model, plan, start = setup("panda")
    with pytest.raises(MotionRefusedError, match=r"hand does not get there; the nearest is \["):
        planner_of(model).to_pose(plan, start, Goal(model.hands[0], np.array([1.5, 0.0, 0.5]), None))


def test_a_posture_in_collision_is_refused_with_the_links() -> None:
    model, plan, start = setup("panda")
    q = np.array([0.0, 0.4, 0.0, -3.0, 0.0, 0.5, 0.8])
    with pytest.raises(MotionRefusedError, match=r"panda_\w+ and panda_\w+ would touch"):
        planner_of(model).to_joints(plan, start, q)
    with pytest.raises(MotionRefusedError) as refusal:
        planner_of(model).through(plan, start, [{0: 0.3}, dict(enumerate(q))], stop=False)
    assert refusal.value.goal == 1


def test_a_weak_arm_moves_more_slowly() -> None:
    model = dataclasses.replace(robot("ur5"), torque_limit_Nm=0.35 * robot("ur5").torque_limit_Nm)
    check, plan = MotionCheck(model, body_geometry(robot("ur5"))), PlanRow.empty(model.na)
    start = JointState.at_rest(model.q_nominal)
    end = model.q_nominal.copy()
    end[1] += 0.9
    plan.write_via(end[None])
    motion = check.slow_down(plan, start)
    assert motion is not None
    assert 0.1 < plan.head[SLOW] < 1.0
    data = model.pin_model.createData()
    for q, v, a in zip(*motion, strict=True):
        tau = pin.rnea(model.pin_model, data, q, v, a)
        assert (np.abs(tau) <= (TORQUE_SHARE + 1e-3) * model.torque_limit_Nm).all()


def test_an_arm_that_cannot_hold_a_posture_does_not_move_there() -> None:
    model = dataclasses.replace(robot("ur5"), torque_limit_Nm=0.05 * robot("ur5").torque_limit_Nm)
    check, plan = MotionCheck(model, body_geometry(robot("ur5"))), PlanRow.empty(model.na)
    end = model.q_nominal.copy()
    end[1] += 0.9
    plan.write_via(end[None])
    assert check.slow_down(plan, JointState.at_rest(model.q_nominal)) is None


def test_a_joint_slows_down_before_the_end_of_its_range() -> None:
    """The barrier of the tick slows a joint down sooner than its limit on acceleration."""
    model, plan, start = setup("panda")
    planner = planner_of(model)
    end = model.q_nominal.copy()
    end[1], end[3] = -0.3, -0.13
    planned = planner.to_joints(plan, start, end)
    assert plan.head[SLOW] < 1.0
    check_limits(model, planned)
