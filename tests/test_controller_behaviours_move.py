"""Motions of arms to joint positions and through points, in the simulator, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import ARMS, robot
from control_runs import run

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.joint_motion.plan_row import JointState
from kilohertz.controller.supervision.request import make_request


def check_limits(result: Any) -> None:
    model = result.sim.robot
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    assert (np.abs(result.tau) <= model.torque_limit_Nm).all()
    q = result.q[20:]  # the controller has taken over from the drives' own holding
    v = np.diff(q, axis=0) * 1e3
    a = np.diff(v, axis=0) * 1e3
    jerk = np.diff(a, axis=0) * 1e3
    assert (np.abs(v) <= model.velocity_limit_rad_s).all()
    assert (np.abs(a) <= 1.03 * model.acceleration_limit_rad_s2).all()
    assert (np.abs(jerk) <= model.jerk_limit_rad_s3).all()


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_moves_to_joint_positions_and_is_done(name: str) -> None:
    joints = robot(name).joint_names
    goal = {joints[0]: 0.8, joints[2]: robot(name).q_nominal[2] - 0.5}
    result = run(name, 1.6, ((0.1, "stand", {}), (0.1, "move", {"q_rad": goal})))
    check_limits(result)
    for joint, value in goal.items():
        assert result.q[-1, joints.index(joint)] == pytest.approx(value, abs=2e-4)
    assert result.brain.output.behaviour_state == "done"
    others = [i for i, joint in enumerate(joints) if joint not in goal]
    np.testing.assert_allclose(result.q[-1, others], robot(name).q_nominal[others], atol=2e-4)


def test_a_motion_can_be_replaced_on_its_way_and_stopped() -> None:
    there, back = ({"q_rad": {"panda_joint1": value}} for value in (1.5, -0.8))
    result = run("panda", 1.6, ((0.1, "move", there), (0.4, "move", back), (0.9, "stand", {})))
    check_limits(result)
    assert result.brain.output.remark == ""
    assert result.q[399:520, 0].max() > 0.3
    assert np.ptp(result.q[-100:, 0]) < 1e-3
    assert result.q[-1, 0] < result.q[899, 0]


def test_an_arm_draws_circles_after_a_motion_and_moves_again() -> None:
    circle = {"radius_m": 0.03, "period_s": 1.0, "plane": "xz"}
    move = {"path": [{"q_rad": {"shoulder_pan_joint": 0.3}}]}
    result = run("ur5", 3.6, ((0.1, "move", move), (0.9, "circle", circle), (2.4, "move", move)))
    check_limits(result)
    assert np.ptp(result.hand[1500:2400, 0, 2]) > 0.02
    assert result.q[-1, 0] == pytest.approx(0.3, abs=2e-4)


def test_an_arm_passes_points() -> None:
    points: list[dict[str, Any]] = [
        {"p_WH_m": [0.4, -0.2, 0.4]},
        {"q_rad": {"panda_joint1": 0.2}},
        {"p_WH_m": [0.4, 0.3, 0.5], "rpy_WH_rad": [3.14, 0.0, 0.3]},
    ]
    result = run("panda", 2.2, ((0.1, "move", {"path": points}),))
    check_limits(result)
    apart = np.linalg.norm(result.hand[:, 0] - np.array([0.4, -0.2, 0.4]), axis=1)
    assert apart.min() < 5e-3
    assert apart.argmin() < 1500
    np.testing.assert_allclose(result.hand[-1, 0], [0.4, 0.3, 0.5], atol=2e-4)


@pytest.mark.parametrize(
    ("parameters", "where", "sentence"),
    [
        ({"q_rad": {"panda_joint9": 0.1}}, ("q_rad", "panda_joint9"), "is not a joint of panda"),
        ({"q_rad": {"panda_joint4": 0.5}}, ("q_rad", "panda_joint4"), "the nearest is -0.1"),
        ({"q_rad": {"panda_joint4": float("nan")}}, ("q_rad", "panda_joint4"), "not nan"),
        ({"path": [{"q_rad": {}}, {"p_WH_m": [3, 0, 0]}]}, ("path", 1), "the nearest is"),
        ({"path": [{"hand": "foot", "p_WH_m": [0.4, 0, 0.4]}]}, ("path", 0, "hand"), "not a hand of panda"),
        ({}, (), "exactly one of q_rad and path"),
    ],
)
def test_what_cannot_be_done_is_refused(parameters: Any, where: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(BehaviourError) as refusal:
        make_request(robot("panda"), "move", parameters)
    assert refusal.value.loc == where
    assert sentence in str(refusal.value)


def test_a_robot_on_legs_is_refused() -> None:
    with pytest.raises(BehaviourError, match="fixed"):
        make_request(robot("g1"), "move", {"q_rad": {}})


def test_the_same_request_is_planned_alike() -> None:
    start = JointState.at_rest(robot("ur5").q_nominal)
    point = {"path": [{"p_WH_m": [-0.3, 0.4, 0.4]}, {"p_WH_m": [0.3, 0.4, 0.4]}]}
    rows = [make_request(robot("ur5"), "move", point, start=start).data for _ in range(2)]
    np.testing.assert_array_equal(rows[0], rows[1])
