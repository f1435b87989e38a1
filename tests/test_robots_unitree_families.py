"""Motors are found by the names of joints; a robot with other joints is refused by a sentence."""

from __future__ import annotations

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.families import ENABLED, ENABLED_STRONG, FAMILIES, G1, GO2, H1, H1_2, family_of


def test_every_joint_of_the_g1_that_ships_has_its_motor() -> None:
    joints = RobotModel.load("g1").joint_names
    assert family_of(joints) is G1
    assert sorted(G1.slots(joints)) == list(range(29))
    assert G1.slots(("left_knee_joint", "waist_yaw_joint", "right_wrist_yaw_joint")) == [3, 12, 28]


def test_another_order_of_joints_gives_the_same_motors() -> None:
    joints = RobotModel.load("g1").joint_names[::-1]
    assert [G1.motors[slot] for slot in G1.slots(joints)] == list(joints)


@pytest.mark.parametrize(
    ("family", "motors", "joint", "slot"),
    [
        (GO2, 12, "RL_calf_joint", 11),
        (H1, 19, "left_elbow_joint", 19),
        (H1, 19, "torso_joint", 6),
        (H1_2, 27, "right_wrist_yaw_joint", 26),
    ],
    ids=["go2", "h1-elbow", "h1-torso", "h1-2"],
)
def test_the_motors_of_other_machines(family, motors: int, joint: str, slot: int) -> None:
    assert family.slots((joint,)) == [slot]
    assert len([name for name in family.motors if name]) == len(set(family.motors) - {""}) == motors


def test_the_large_motors_of_h1_have_their_own_mode() -> None:
    modes = {H1.motors[slot]: H1.mode(slot) for slot in range(20)}
    assert modes["left_knee_joint"] == modes["torso_joint"] == ENABLED_STRONG
    assert modes["left_ankle_joint"] == modes["right_elbow_joint"] == ENABLED
    assert H1.mode(9) == 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_parallel_joints_are_joints_of_the_machine(family) -> None:
    assert set(family.parallel) <= set(family.motors)


def test_a_joint_without_a_motor_is_named() -> None:
    told = r"G1 has no motor for the joint 'left_knee' \(did you mean 'left_knee_joint'\?\)"
    with pytest.raises(ConfigError, match=told):
        family_of(("left_knee", *G1.motors[:20]))
