"""`khz robot new`: soles, hands, IMU and posture of small models and of a public one, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import mujoco
import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.robot_folder.examine import examine
from kilohertz.rt.robot_folder.new import new_robot, robot_name
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.sim.scenario import default_scenario_name, load_scenario
from kilohertz.sim.world import build_world

LEG = """<body name="{side}_hip" pos="0 {y} -0.05">
  <inertial pos="0 0 0" mass="1" diaginertia="0.01 0.01 0.01"/>
  <joint name="{side}_hip_yaw" axis="0 0 1" range="-1 1"/>
  <body name="{side}_thigh"><inertial pos="0 0 -0.15" mass="2" diaginertia="0.02 0.02 0.01"/>
   <joint name="{side}_hip_roll" axis="1 0 0" range="-0.8 0.8"/>
   <body name="{side}_upper"><inertial pos="0 0 -0.1" mass="1" diaginertia="0.01 0.01 0.01"/>
    <joint name="{side}_hip_pitch" axis="0 1 0" range="-2 2"/>
    <body name="{side}_shank" pos="0 0 -0.3"><inertial pos="0 0 -0.15" mass="2" diaginertia="0.02 0.02 0.01"/>
     <joint name="{side}_knee" axis="0 1 0" range="-0.05 2.4"/>
     <geom type="capsule" fromto="0 0 -0.05 0 0 -0.2" size="0.04" mass="0"/>
     <body name="{side}_ankle" pos="0 0 -0.3">
      <inertial pos="0 0 0" mass="0.5" diaginertia="0.005 0.005 0.005"/>
      <joint name="{side}_ankle_pitch" axis="0 1 0" range="-1 1"/>
      <body name="{side}_foot"><inertial pos="0.03 0 -0.03" mass="0.8" diaginertia="0.005 0.005 0.005"/>
       <joint name="{side}_ankle_roll" axis="1 0 0" range="-0.5 0.5"/>
       <geom type="box" pos="0.04 0 -0.05" size="0.11 0.05 0.02" mass="0" {tilt}/>
      </body></body></body></body></body></body>"""
BIPED = """<mujoco><compiler angle="radian" autolimits="true"/>
<default><joint armature="0.02" actuatorfrcrange="-{limit} {limit}"/></default>
<worldbody><body name="pelvis" pos="0 0 0.8"><freejoint/>
 <inertial pos="0 0 0.15" mass="12" diaginertia="0.3 0.3 0.2"/>
 <geom type="box" size="0.1 0.12 0.1" pos="0 0 0.15" mass="0"/>
 <site name="imu_site" pos="0.01 0 0.1"/>{legs}</body></worldbody></mujoco>"""
ARM_LINK = (
    '<link name="{0}"><inertial><origin xyz="0 0 0.1"/><mass value="1"/>'
    '<inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>'
)
ARM_JOINT = (
    '<joint name="{0}" type="{1}"><parent link="{2}"/><child link="{3}"/><origin xyz="0 {6} 0.2"/>'
    '<axis xyz="{4}"/><limit lower="{5}" upper="{7}" effort="50" velocity="3"/></joint>'
)


def biped(tmp_path: Path, tilt: str = "", limit: str = "120") -> Path:
    legs = "".join(LEG.format(side=side, y=y, tilt=tilt) for side, y in (("left", 0.1), ("right", -0.1)))
    path = tmp_path / "walker.xml"
    path.write_text(BIPED.format(legs=legs, limit=limit))
    return path


def arm(tmp_path: Path, effort: str = "50") -> Path:
    links = ["base", "l1", "l2", "l3", "l4", "l5", "l6", "left_finger", "right_finger"]
    axes = ["0 0 1", "0 1 0", "0 1 0", "0 0 1", "0 1 0", "0 0 1"]
    text = "".join(ARM_LINK.format(link) for link in links[:7])
    text += "".join(ARM_LINK.format(link).replace('"1"', '"0.02"') for link in links[7:])
    for i, axis in enumerate(axes):
        text += ARM_JOINT.format(f"j{i + 1}", "revolute", links[i], links[i + 1], axis, -2.5, 0, 2.5)
    for link, y in (("left_finger", 0.02), ("right_finger", -0.02)):
        text += ARM_JOINT.format(f"{link}_joint", "prismatic", "l6", link, "0 1 0", 0.0, y, 0.04)
    path = tmp_path / "arm.urdf"
    path.write_text(f'<robot name="arm">{text}</robot>'.replace('effort="50"', f'effort="{effort}"'))
    return path


def test_a_biped_gets_level_soles_an_imu_and_its_centre_of_mass_over_the_feet(tmp_path: Path) -> None:
    path = biped(tmp_path)
    folder = new_robot(str(path), tmp_path / "walker")
    robot = RobotModel.load(folder)
    assert robot.nv == mujoco.MjModel.from_xml_path(str(path)).nv
    assert robot.contact_names == ("left_foot", "right_foot")
    assert [contact.link for contact in robot.contacts] == ["left_foot", "right_foot"]
    np.testing.assert_allclose(
        sorted(robot.description.contacts["left_foot"].corners_m),
        sorted([(x, y, -0.07) for x in (-0.07, 0.15) for y in (-0.05, 0.05)]),
        atol=1e-4,
    )
    imu = robot.description.imu
    assert imu is not None
    assert (imu.link, imu.p_BI_m) == ("pelvis", (0.01, 0.0, 0.1))
    found = examine(robot)
    assert found.passed
    assert found.margin_m is not None
    assert found.margin_m > 0.08
    assert max(sole.tilt_deg for sole in found.soles) < 0.1
    knee = robot.q_nominal[robot.nq_base + robot.joint_names.index("left_knee")]
    assert 0.4 < knee < 1.0


def test_legs_are_straighter_where_the_ankle_cannot_level_the_sole(tmp_path: Path) -> None:
    path = biped(tmp_path)
    path.write_text(
        path.read_text().replace(
            'ankle_pitch" axis="0 1 0" range="-1', 'ankle_pitch" axis="0 1 0" range="-0.2'
        )
    )
    robot = RobotModel.load(new_robot(str(path), tmp_path / "walker"))
    assert max(sole.tilt_deg for sole in examine(robot).soles) < 2.0
    assert robot.q_nominal[robot.nq_base + robot.joint_names.index("left_knee")] > 0.2


def test_a_sole_that_is_turned_in_its_link_is_found_by_its_face(tmp_path: Path) -> None:
    folder = new_robot(str(biped(tmp_path, 'euler="0.1 0.2 0"')), tmp_path / "walker")
    found = examine(RobotModel.load(folder))
    assert max(sole.tilt_deg for sole in found.soles) < 0.1
    assert min(sole.area_m2 for sole in found.soles) == pytest.approx(0.22 * 0.10, rel=0.03)


def test_missing_torque_limits_are_guessed_and_marked(tmp_path: Path) -> None:
    folder = new_robot(str(biped(tmp_path, limit="5000")), tmp_path / "walker")
    text = (folder / "robot.yaml").read_text()
    assert "TODO: the model gives no usable torque limit" in text
    robot = RobotModel.load(folder)
    found = examine(robot)
    assert max(joint.fraction for joint in found.joints) < 0.5
    assert robot.torque_limit_Nm.max() < 1000.0


def test_an_arm_gets_a_hand_a_bent_posture_and_locked_fingers(tmp_path: Path) -> None:
    robot = RobotModel.load(new_robot(str(arm(tmp_path)), tmp_path / "arm"))
    assert not robot.floating
    assert robot.na == 6
    assert robot.description.locked_joints_rad == {"left_finger_joint": 0.02, "right_finger_joint": 0.02}
    assert [(hand.name, hand.link) for hand in robot.hands] == [("hand", "l6")]
    assert np.abs(robot.q_nominal).max() > 0.3
    assert examine(robot).passed


def test_a_joint_without_a_range_is_locked_where_it_is_and_marked(tmp_path: Path) -> None:
    path = arm(tmp_path)
    path.write_text(
        re.sub(r'(name="j3".*?)lower="-2.5" upper="2.5"', r'\1lower="0.4" upper="0.4"', path.read_text())
    )
    folder = new_robot(str(path), tmp_path / "arm")
    robot = RobotModel.load(folder)
    assert robot.description.locked_joints_rad["j3"] == 0.4
    assert robot.na == 5
    assert "TODO: the model's limits leave these joints no range" in (folder / "robot.yaml").read_text()


def test_a_model_whose_limits_are_all_empty_is_refused(tmp_path: Path) -> None:
    path = arm(tmp_path)
    path.write_text(re.sub(r'lower="[^"]*" upper="[^"]*"', 'lower="0" upper="0"', path.read_text()))
    with pytest.raises(ConfigError, match=r"8 of 8 joints, such as 'j1', have limits without a range"):
        new_robot(str(path), tmp_path / "arm")


def test_names_that_yaml_would_read_as_something_else_are_quoted(tmp_path: Path) -> None:
    path = arm(tmp_path)
    names = {"j1": "1", "j2": "on", "j3": "a: b", "left_finger_joint": "[finger] #1", "l6": "6"}
    for old, new in names.items():
        path.write_text(path.read_text().replace(f'"{old}"', f'"{new}"'))
    robot = RobotModel.load(new_robot(str(path), tmp_path / "arm"))
    assert set(robot.joint_names) == {"1", "on", "a: b", "j4", "j5", "j6"}
    assert "[finger] #1" in robot.locked_rad
    assert robot.hands[0].link == "6"


def test_an_arm_of_an_mjcf_file_can_begin_with_its_first_joint(tmp_path: Path) -> None:
    link = (
        '<body name="l{0}" pos="0 0 0.2"><joint name="j{0}" axis="{1}" range="-2 2"/><inertial pos="0 0 0.1" '
    )
    link += 'mass="1" diaginertia="0.01 0.01 0.01"/><geom size="0.03"/>'
    axes = ("0 0 1", "0 1 0", "0 1 0", "1 0 0")
    bodies = "".join(link.format(index, axis) for index, axis in enumerate(axes)) + "</body>" * len(axes)
    motors = "".join(f'<motor joint="j{index}" ctrlrange="-30 30"/>' for index in range(len(axes)))
    path = tmp_path / "arm.xml"
    path.write_text(
        f'<mujoco><compiler angle="radian" autolimits="true"/><worldbody>{bodies}</worldbody>'
        f"<actuator>{motors}</actuator></mujoco>"
    )
    robot = RobotModel.load(new_robot(str(path), tmp_path / "arm"))
    assert robot.na == len(axes)
    assert robot.hands[0].link == "l3"
    assert examine(robot).passed


def test_the_hands_of_an_upper_body_on_a_stand_are_no_feet(tmp_path: Path) -> None:
    box = '<collision><origin xyz="0 0 -0.1"/><geometry><box size="0.05 0.05 0.2"/></geometry></collision>'
    text = ARM_LINK.format("torso").replace("</link>", f"{box}</link>")
    for side, y in (("l", 0.2), ("r", -0.2)):
        links = ["torso", *(f"{side}_{part}" for part in ("shoulder", "upper_arm", "forearm", "hand"))]
        for i, axis in enumerate(("0 1 0", "1 0 0", "0 1 0", "0 0 1")):
            text += ARM_LINK.format(links[i + 1]).replace("</link>", f"{box}</link>")
            move = ARM_JOINT.format(
                f"{side}_{i}", "revolute", links[i], links[i + 1], axis, -2, y * (i == 0), 2
            )
            text += move.replace(' 0.2"/>', ' -0.2"/>', 1)
    (tmp_path / "upper.urdf").write_text(f'<robot name="upper">{text}</robot>')
    robot = RobotModel.load(new_robot(str(tmp_path / "upper.urdf"), tmp_path / "upper"))
    assert not robot.floating
    assert [(hand.name, hand.link) for hand in robot.hands] == [
        ("left_hand", "l_hand"),
        ("right_hand", "r_hand"),
    ]


FOLDED_ARM = """<body name="{side}_shoulder" pos="0 {y} 0.2">
  <inertial pos="0 0 0" mass="1" diaginertia="0.01 0.01 0.01"/>
  <joint name="{side}_shoulder_pitch" axis="0 1 0" range="-2 2"/>
  <body name="{side}_upper_arm"><inertial pos="0.1 0 0" mass="1" diaginertia="0.01 0.01 0.01"/>
   <joint name="{side}_shoulder_yaw" axis="0 0 1" range="-2 2"/>
   <body name="{side}_forearm" pos="0.2 0 0">
    <inertial pos="0 {inwards} 0" mass="1" diaginertia="0.01 0.01 0.01"/>
    <joint name="{side}_elbow" axis="0 0 1" range="-2 2"/>
    <body name="{side}_palm" pos="0 {inwards} 0">
      <inertial pos="0 0 0" mass="0.5" diaginertia="0.01 0.01 0.01"/>
     <joint name="{side}_wrist" axis="1 0 0" range="-2 2"/>
    </body></body></body></body>"""


def test_hands_that_cross_in_front_of_the_trunk_keep_their_sides(tmp_path: Path) -> None:
    path = biped(tmp_path)
    arms = "".join(
        FOLDED_ARM.format(side=side, y=y, inwards=-1.4 * y) for side, y in (("right", -0.2), ("left", 0.2))
    )
    path.write_text(path.read_text().replace("</body></worldbody>", f"{arms}</body></worldbody>"))
    robot = RobotModel.load(new_robot(str(path), tmp_path / "robot"))
    assert [(hand.name, hand.link) for hand in robot.hands] == [
        ("left_hand", "left_palm"),
        ("right_hand", "right_palm"),
    ]


def test_a_quadruped_of_a_data_package_gets_four_points(tmp_path: Path) -> None:
    model = "example-robot-data:go2_description/urdf/go2.urdf"
    folder = new_robot(model, tmp_path / "go2")
    assert f"model: {model}\n" in (folder / "robot.yaml").read_text()
    robot = RobotModel.load(folder)
    assert robot.contact_names == ("front_left", "front_right", "rear_left", "rear_right")
    assert all(len(contact.corners_F) == 1 for contact in robot.contacts)
    found = examine(robot)
    assert found.passed
    assert found.margin_m is not None
    assert found.margin_m > 0.1


def test_two_arms_on_a_trunk_are_both_bent_and_easy_to_hold(tmp_path: Path) -> None:
    folder = tmp_path / "baxter"
    new_robot("example-robot-data:baxter_description/urdf/baxter.urdf", folder)
    robot = RobotModel.load(folder)
    assert robot.hand_names == ("left_hand", "right_hand")
    assert examine(robot).passed
    for side in ("left", "right"):
        bent = [robot.q_nominal[robot.joint_names.index(f"{side}_{name}")] for name in ("s1", "e1", "w1")]
        assert np.abs(bent).min() > 0.3


def test_a_heavy_gripper_is_locked_and_is_no_joint_of_the_arm(tmp_path: Path) -> None:
    folder = tmp_path / "z1"
    new_robot("example-robot-data:z1_description/urdf/z1.urdf", folder)
    robot = RobotModel.load(folder)
    assert list(robot.locked_rad) == ["jointGripper"]
    assert robot.na == 6


def test_the_folder_is_not_overwritten(tmp_path: Path) -> None:
    path = biped(tmp_path)
    new_robot(str(path), tmp_path / "walker")
    with pytest.raises(ConfigError, match="exists: remove it, or name another folder with --into"):
        new_robot(str(path), tmp_path / "walker")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no file"),
        ("<robot", "is not valid XML"),
        ("<scene/>", "is neither URDF nor MJCF"),
        (BIPED.format(legs="", limit="1"), "has no joint that can move"),
    ],
)
def test_an_unusable_model_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "model.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        new_robot(str(path), tmp_path / "robot")
    assert sentence in str(caught.value)
    assert not (tmp_path / "robot").exists()


def test_a_refusal_that_names_its_remedy_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = RobotModel.load

    def load(folder: Path) -> RobotModel:
        path = Path(folder) / "robot.yaml"
        text = path.read_text()
        if "repair_inertia: true" not in text:
            raise ConfigError("model: link 'tool' has an impossible inertia: set repair_inertia: true")
        path.write_text("".join(line for line in text.splitlines(True) if "repair_inertia" not in line))
        robot = loaded(folder)
        path.write_text(text)
        return robot

    monkeypatch.setattr(RobotModel, "load", load)
    folder = new_robot(str(arm(tmp_path)), tmp_path / "arm")
    assert "repair_inertia: true    # TODO" in (folder / "robot.yaml").read_text()


def test_hips_of_one_body_springs_and_a_root_of_six_joints_are_read(tmp_path: Path) -> None:
    path = biped(tmp_path)
    text = path.read_text()
    for side in ("left", "right"):
        # The inner bodies of the hip are gone: one body has its three joints.
        text = re.sub(
            rf'(<joint name="{side}_hip_yaw"[^>]*>)\s*<body name="{side}_thigh">.*?'
            rf'(<joint name="{side}_hip_roll"[^>]*>)\s*<body name="{side}_upper">.*?'
            rf'<(joint name="{side}_hip_pitch"[^>]*)/>(.*?)</body></body></body></body></body></body>',
            r'\1\2<\3 stiffness="5"/>\4</body></body></body></body>',
            text,
            flags=re.DOTALL,
        )
    six = "".join(
        f'<joint name="{kind}_{axis[::2]}" type="{kind}" axis="{axis}" armature="0" actuatorfrcrange="0 0"/>'
        for kind in ("slide", "hinge")
        for axis in ("1 0 0", "0 1 0", "0 0 1")
    )
    path.write_text(text.replace("<freejoint/>", six))
    folder = tmp_path / "out"
    new_robot(str(path), folder)
    assert "ignore_springs: true    # TODO" in (folder / "robot.yaml").read_text()
    robot = RobotModel.load(folder)
    assert robot.floating
    assert robot.na == 12
    assert [contact.name for contact in robot.contacts] == ["left_foot", "right_foot"]
    # The check of parity inside refuses any difference of pose, mass or dynamics.
    world = build_world(robot, load_scenario(default_scenario_name(robot), robot), 0)
    assert world.model.nv == robot.nv
    assert not world.model.jnt_stiffness.any()


def test_a_name_comes_from_the_file() -> None:
    assert robot_name(Path("my robot.urdf")) == "my_robot"
    assert robot_name(Path("7dof.xml")) == "robot_7dof"


@pytest.mark.closed_loop
def test_a_new_biped_stands_sways_and_squats_untouched(tmp_path: Path) -> None:
    folder = new_robot(str(biped(tmp_path)), tmp_path / "walker")
    result = Session(RunPlan(str(folder), duration_s=5.0)).run()
    assert not result.fell
    assert result.summary["tracking"]["com_rms_m"] < 0.01
