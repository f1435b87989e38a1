"""A pose that an arm can have is found, the nearest is told where it cannot."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.upper_body.hands import hand_tasks
from kilohertz.controller.upper_body.reach import arm_joints, nearest_pose
from kilohertz.robots.model.robot_model import RobotModel


def arm_poses(model, hand, count, rng):
    """Poses of a hand at random postures of its arm, seen from the base."""
    joints = np.array(arm_joints(model, hand))
    low, high = model.position_lower_rad[joints] + 0.1, model.position_upper_rad[joints] - 0.1
    data = model.pin_model.createData()
    for _ in range(count):
        q = model.q_nominal.copy()
        q[model.nq_base + joints] = rng.uniform(low, high)
        pin.framesForwardKinematics(model.pin_model, data, q)
        pose = data.oMf[hand.frame_id]
        yield data.oMi[1].actInv(pose) if model.floating else pose


@pytest.mark.parametrize(("name", "n_joints"), [("g1", 7), ("talos", 7), ("ur5", 6)])
def test_the_arm_is_what_is_between_trunk_and_hand(name, n_joints):
    names = [[robot(name).joint_names[j] for j in arm_joints(robot(name), h)] for h in robot(name).hands]
    for joints in names:
        assert len(joints) == n_joints
        assert not any("leg" in joint or "torso" in joint or "waist" in joint for joint in joints)


@pytest.mark.parametrize("name", ["g1", "talos", "ur5"])
def test_a_pose_of_the_arm_is_found_again(name):
    model = robot(name)
    found = [
        nearest_pose(model, model.hands[0], pose.translation, pose.rotation).found
        for pose in arm_poses(model, model.hands[0], 20, np.random.default_rng(1))
    ]
    assert np.mean(found) >= 0.9


def test_a_place_out_of_reach_is_answered_with_the_nearest():
    model = robot("g1")
    nearest = nearest_pose(model, model.hands[0], np.array([1.5, 0.1, 0.25]))
    assert not nearest.found
    assert nearest.off_m == pytest.approx(1.5 - 0.5, abs=0.1)
    assert nearest_pose(model, model.hands[0], 0.98 * nearest.p_BH + 0.02 * np.array([0, 0.1, 0.25])).found


@pytest.mark.parametrize("name", ["g1", "talos", "panda", "ur5"])
def test_an_arm_of_six_joints_or_more_keeps_its_weights(name):
    for task in hand_tasks(robot(name), Gains()):
        assert task.weight == [10.0] * 3 + [1.0] * 3


def test_an_arm_of_five_joints_puts_its_place_first(tmp_path):
    (tmp_path / "robot.yaml").write_text(
        "robot: so101\nmodel: example-robot-data:so_arm_description/urdf/so101.urdf\nbase: fixed\n"
        "hands:\n  hand: {link: gripper_link}\nlocked_joints_rad: {gripper: 0.5}\n"
    )
    (task,) = hand_tasks(RobotModel.load(tmp_path), Gains())
    assert task.weight == pytest.approx([10.0] * 3 + [1e-4] * 3)
