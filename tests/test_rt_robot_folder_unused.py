"""Friction, damping and servos of a model file that have no effect are told, with the key that uses them."""

from __future__ import annotations

import pytest
from sim_runs import robot

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.robot_folder.unused import unused_sentences

MJCF = """
<mujoco>
  <compiler angle="radian"/>
  <worldbody>
    <body name="base">
      <inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>
      <body name="link">
        <inertial pos="0 0 0.1" mass="1" diaginertia="0.01 0.01 0.01"/>
        <joint name="turn" axis="0 1 0" range="-1 1" {joint}/>
        <geom size="0.05"/>
      </body>
    </body>
  </worldbody>
  <actuator>{actuator}</actuator>
</mujoco>
"""
MOTOR = '<motor name="turn" joint="turn" ctrllimited="true" ctrlrange="-5 5"/>'
SERVO = '<position name="turn" joint="turn" kp="50" forcelimited="true" forcerange="-5 5"/>'


def sentences(folder, joint="", actuator=MOTOR, more=""):
    (folder / "arm.xml").write_text(MJCF.format(joint=joint, actuator=actuator))
    (folder / "robot.yaml").write_text(f"robot: arm\nmodel: arm.xml\nbase: fixed\n{more}")
    return unused_sentences(RobotModel.load(folder))


def test_a_model_without_friction_has_no_sentence(tmp_path):
    assert sentences(tmp_path) == []
    assert unused_sentences(robot("ur5e")) == []


def test_friction_of_an_mjcf_file_is_told_until_robot_yaml_gives_it(tmp_path):
    joint = 'frictionloss="1.1" damping="0.2"'
    (told,) = sentences(tmp_path, joint)
    assert "friction (up to 1.1 Nm) and damping (up to 0.2 Nms)" in told
    assert "give joint_friction_Nm and joint_damping_Nms" in told
    given = "joint_friction_Nm: 1.1\njoint_damping_Nms: 0.2\n"
    assert sentences(tmp_path, joint, more=given) == []


def test_position_actuators_are_told_until_the_robot_has_servos(tmp_path):
    (told,) = sentences(tmp_path, actuator=SERVO)
    assert "are position servos (kp up to 50 Nm/rad)" in told
    servo = "drives: position\nservo: {stiffness_Nm_rad: 50, damping_Nms_rad: 1}\n"
    assert sentences(tmp_path, actuator=SERVO, more=servo) == []


@pytest.mark.parametrize(
    ("name", "size"), [("xarm7", "damping (up to 10 Nms)"), ("z1", "friction (up to 2 Nm)")]
)
def test_friction_of_a_urdf_is_told(name, size):
    (told,) = unused_sentences(robot(name))
    assert size in told
