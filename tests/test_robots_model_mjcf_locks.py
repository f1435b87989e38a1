"""Coupled joints and joints without a motor of an MJCF file are locked in a gripper and refused in an arm."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.mjcf_locks import compile_without
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import default_scenario_name, load_scenario
from kilohertz.sim.world import build_world

FINGERS = """
<body name="knuckle" pos="0 0.03 0.2"><joint name="driver" axis="1 0 0" range="0 0.8"/>
  <geom type="box" size="0.005 0.005 0.02" pos="0 0 0.02" mass="0.02"/>
  <body name="finger" pos="0 0.01 0.04"><joint name="follower" axis="-1 0 0" range="-1 1"/>
    <geom type="box" size="0.005 0.005 0.02" pos="0 0 0.02" mass="0.02"/></body></body>
<body name="link" pos="0 0.01 0.21"><joint name="spring" axis="1 0 0" stiffness="0.05" springref="1"/>
  <geom type="box" size="0.003 0.003 0.02" pos="0 0 0.02" mass="0.01"/></body>
"""
ARM = """<mujoco><compiler angle="radian" eulerseq="zyx"/><worldbody>
<frame pos="0.1 0 0" euler="0.3 0 0">
<body name="base" euler="0.1 0.2 0.3"><geom type="box" size="0.1 0.1 0.1" mass="5"/>
 <body name="upper" pos="0 0 0.1" axisangle="0 1 0 0.4"><joint name="j1" axis="0 0 1" range="-2 2"/>
  <geom type="capsule" fromto="0 0 0 0 0 0.3" size="0.04" mass="3"/>
  <body name="fore" pos="0 0 0.3"><joint name="j2" axis="0 1 0" ref="0.2" pos="0.02 0 0.01" range="-2 2"/>
   <geom type="capsule" fromto="0 0 0 0 0 0.2" size="0.03" mass="2"/>{fingers}</body></body></body></frame>
</worldbody>{rest}
<actuator><motor joint="j1" ctrlrange="-50 50"/><motor joint="j2" ctrlrange="-50 50"/>{motor}</actuator>
<keyframe><key/></keyframe></mujoco>"""
LOOP = '<equality><connect body1="finger" body2="link" anchor="0 -0.02 0.01"/></equality>'
YAML = (
    "robot: r\nmodel: arm.xml\nbase: fixed\nhands: {{hand: {{link: {hand}}}}}\nposture_rad: {posture}\n{more}"
)


def folder(
    tmp_path: Path,
    *,
    fingers: str = FINGERS,
    rest: str = LOOP,
    motor: str = '<motor joint="driver"/>',
    hand: str = "fore",
    posture: str = "{j2: 0.5, driver: 0.3}",
    more: str = "",
) -> Path:
    (tmp_path / "arm.xml").write_text(ARM.format(fingers=fingers, rest=rest, motor=motor))
    (tmp_path / "robot.yaml").write_text(YAML.format(hand=hand, posture=posture, more=more))
    return tmp_path


def test_a_gripper_with_a_closed_loop_is_locked_where_the_loop_closes(tmp_path: Path) -> None:
    robot = RobotModel.load(folder(tmp_path))
    assert robot.joint_names == ("j1", "j2")
    assert set(robot.locked_rad) == {"driver", "follower", "spring"}
    assert robot.locked_rad["driver"] == 0.3
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "arm.xml"))
    data = mujoco.MjData(model)
    for name, value in robot.locked_rad.items():
        data.joint(name).qpos = value
    mujoco.mj_forward(model, data)
    assert np.abs(data.efc_pos[: 3 * model.neq]).max() < 1e-8
    (note,) = robot.notes
    assert note.startswith("the equality constraint 'driver, follower, spring' (connect) couples joints")


def test_joints_without_an_actuator_are_locked_unless_robot_yaml_gives_their_torque(tmp_path: Path) -> None:
    more = "torque_limit_Nm: {driver: 1}"
    robot = RobotModel.load(folder(tmp_path, rest="", posture="{j2: 0.5}", more=more))
    assert robot.joint_names == ("j1", "j2", "driver") or set(robot.locked_rad) == {"follower", "spring"}
    assert any(
        note.startswith("joint 'follower' has no actuator: it is not controlled") for note in robot.notes
    )


def test_the_fingers_of_a_gripper_that_a_tendon_drives_are_locked(tmp_path: Path) -> None:
    rest = (
        '<tendon><fixed name="split"><joint joint="driver" coef="1"/><joint joint="follower" coef="1"/>'
        "</fixed></tendon>"
    )
    robot = RobotModel.load(folder(tmp_path, rest=rest, motor='<motor tendon="split"/>'))
    assert robot.joint_names == ("j1", "j2")
    assert any(note.startswith("the tendon 'split' drives joints") for note in robot.notes)


@pytest.mark.parametrize("locked", ["", "{driver: 0.2, j1: -0.7}", "{j2: 0.9}"])
def test_mujoco_and_pinocchio_agree_about_a_robot_with_locked_joints(tmp_path: Path, locked: str) -> None:
    more = f"locked_joints_rad: {locked}\n" if locked else ""
    robot = RobotModel.load(folder(tmp_path, posture="{}", more=more))
    # The check of parity inside refuses any difference of pose, mass or dynamics.
    world = build_world(robot, load_scenario(default_scenario_name(robot), robot), 0)
    assert world.model.nv == robot.nv


def test_a_locked_joint_holds_its_body_where_the_joint_would(tmp_path: Path) -> None:
    path = folder(tmp_path) / "arm.xml"
    whole = mujoco.MjModel.from_xml_path(str(path))
    locked = {"j1": 0.8, "j2": -0.6, "driver": 0.1}
    data = mujoco.MjData(whole)
    for name, value in locked.items():
        data.joint(name).qpos = value
    rest = compile_without(path, whole, locked)
    other = mujoco.MjData(rest)
    mujoco.mj_kinematics(whole, data)
    mujoco.mj_kinematics(rest, other)
    for name in ("fore", "finger", "link"):
        np.testing.assert_allclose(other.body(name).xpos, data.body(name).xpos, atol=1e-12)
        np.testing.assert_allclose(other.body(name).xmat, data.body(name).xmat, atol=1e-12)


HIP = """<mujoco><compiler angle="radian"/><worldbody><body name="root"><geom size="0.1"/>
<body name="thigh" pos="0.1 0 0.2" euler="0.2 0.1 -0.3">
 <joint name="yaw" axis="0 0 1" pos="0.01 0 0.03"/>
 <frame pos="0.03 0 0.01" euler="0.4 0 0.2"><frame euler="0 0.1 0">
  <joint name="roll" axis="1 0.2 0" pos="0 0.02 -0.01"/></frame></frame>
 <joint name="stretch" type="slide" axis="0.1 0 -1" ref="0.02"/>
 <joint name="pitch" axis="0 1 0.1" pos="-0.02 0.01 0" ref="0.3"/><geom size="0.1" pos="0.1 0 0"/>
</body></body></worldbody></mujoco>"""


@pytest.mark.parametrize(
    "locked",
    [
        {"pitch": -0.4},
        {"roll": 0.7},
        {"stretch": 0.1, "pitch": 0.9},
        {"pitch": 0.9, "yaw": -0.5},
        {"yaw": -0.5, "pitch": 0.9},
        {"roll": 0.2, "pitch": 0.9, "stretch": -0.1, "yaw": 1.0},
    ],
)
def test_joints_of_a_body_with_several_can_be_locked_in_any_order(
    tmp_path: Path, locked: dict[str, float]
) -> None:
    path = tmp_path / "hip.xml"
    path.write_text(HIP)
    whole = mujoco.MjModel.from_xml_path(str(path))
    rest = compile_without(path, whole, locked)
    data, other = mujoco.MjData(whole), mujoco.MjData(rest)
    for joint, value in (("yaw", 0.3), ("roll", -0.6), ("stretch", 0.15), ("pitch", 1.1)):
        data.joint(joint).qpos = locked.get(joint, value)
        if joint not in locked:
            other.joint(joint).qpos = value
    mujoco.mj_kinematics(whole, data)
    mujoco.mj_kinematics(rest, other)
    np.testing.assert_allclose(other.body("thigh").xpos, data.body("thigh").xpos, atol=1e-12)
    np.testing.assert_allclose(other.body("thigh").xmat, data.body("thigh").xmat, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"hand": "finger"},
            "which the controller's model cannot have, and which moves link 'finger'",
        ),
        ({"fingers": FINGERS.replace('mass="0.02"', 'mass="2"')}, "which moves 4 kg"),
        (
            {
                "fingers": "",
                "motor": "",
                "posture": "{}",
                "rest": '<equality><joint joint1="j1" joint2="j2"/></equality>',
            },
            "the equality constraint 'j1, j2' (joint) couples joints",
        ),
        ({"more": "locked_joints_rad: {driver: 0.3, spring: -2.5}"}, "cannot be met by the locked joints"),
        ({"more": "locked_joints_rad: {drivr: 0.3}"}, "did you mean 'driver'"),
    ],
)
def test_a_coupling_that_the_controller_cannot_have_is_refused(
    tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        RobotModel.load(folder(tmp_path, **changes))
    assert expected in str(caught.value)
