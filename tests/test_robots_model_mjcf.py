from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.mjcf import (
    actuator_limits,
    check_mjcf,
    compile_mjcf,
    pinocchio_model,
)
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.robot_model import RobotModel

ARM = """<mujoco><worldbody>{}</worldbody><actuator>
  <motor joint="a" gear="2" ctrlrange="-10 10"/>
  <position joint="b" kp="100" forcerange="-5 8" gear="3"/>
  <position joint="c" kp="100" ctrlrange="-1 1"/>
  <motor joint="d" ctrlrange="-9 9"/>
</actuator></mujoco>"""
BODY = '<body pos="0.1 0 0"><joint name="{}" type="hinge" {}/><geom size="0.1" mass="1"/>{}</body>'


def arm() -> str:
    body = ""
    for name, more in (("e", ""), ("d", 'actuatorfrcrange="-4 4"'), ("c", ""), ("b", ""), ("a", "")):
        body = BODY.format(name, more, body)
    return ARM.format(body)


def test_a_limit_is_the_smallest_of_range_force_and_gear(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(arm())
    limits = actuator_limits(compile_mjcf(path), ("e", "d", "c", "b", "a"))
    # e has no actuator; d is limited by the joint; c by nothing, as a servo's command is no torque.
    np.testing.assert_allclose(limits, [np.inf, 4.0, np.inf, 15.0, 20.0])


def test_what_mujoco_cannot_read_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text("<mujoco><worldbody><body/></worldbody></mujoco>".replace("body/", "bdoy/"))
    with pytest.raises(ModelFileError, match="MuJoCo cannot read it") as caught:
        compile_mjcf(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("root_joint", ["", '<joint name="root" axis="0 0 1"/>'])
def test_a_fixed_base_stands_where_the_file_puts_it(tmp_path: Path, root_joint: str) -> None:
    path = tmp_path / "arm.xml"
    inner = BODY.format("a", "", BODY.format("b", "", "")).replace("<body ", "<body name='arm' ", 1)
    path.write_text(
        f'<mujoco><worldbody><body name="root" pos="1 2 3" euler="10 20 30">{root_joint}'
        f'<geom size="0.1"/>{inner}</body></worldbody></mujoco>'
    )
    model = compile_mjcf(path)
    pin_model = pinocchio_model(model)
    data, pin_data = mujoco.MjData(model), pin_model.createData()
    mujoco.mj_forward(model, data)
    pin.framesForwardKinematics(pin_model, pin_data, pin.neutral(pin_model))
    for name in ("root", "arm"):
        placement = pin_data.oMf[pin_model.getFrameId(name, pin.FrameType.BODY)]
        np.testing.assert_allclose(placement.translation, data.body(name).xpos, atol=1e-12)
        np.testing.assert_allclose(placement.rotation.ravel(), data.body(name).xmat, atol=1e-12)


LINK = """<body name="base"{base}><geom size="0.1" mass="1"/><body name="a" pos="0 0 0.2"{link}>
  <joint name="j" axis="0 1 0"{joint}/><geom type="box" size="0.1 0.2 0.3" pos="0.1 0 0" mass="2"/>
  </body></body>"""


def one_joint(
    path: Path, rest: str = "", before: str = "", base: str = "", link: str = "", joint: str = ""
) -> Path:
    body = LINK.format(base=base, link=link, joint=joint)
    path.write_text(f"<mujoco><worldbody>{before}{body}</worldbody>{rest}</mujoco>")
    return path


def test_defaults_units_and_includes_hold_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "more.xml").write_text(
        "<mujoco><default><joint range='-1.2 0.7' armature='0.3'/></default></mujoco>"
    )
    for rest in (
        "<default><joint range='-1.2 0.7' armature='0.3'/></default><compiler angle='radian'/>",
        "<include file='more.xml'/><compiler angle='radian'/>",
    ):
        built = pinocchio_model(compile_mjcf(one_joint(tmp_path / "arm.xml", rest)))
        assert (built.lowerPositionLimit[0], built.upperPositionLimit[0]) == (-1.2, 0.7)
        assert built.armature[0] == 0.3


def test_a_joint_with_a_reference_has_the_positions_of_mujoco(tmp_path: Path) -> None:
    model = compile_mjcf(
        one_joint(
            tmp_path / "arm.xml", "<compiler angle='radian'/>", joint=' ref="0.5" pos="0 0 0.1" range="-3 3"'
        )
    )
    built = pinocchio_model(model)
    assert (built.lowerPositionLimit[0], built.upperPositionLimit[0]) == (-3.0, 3.0)
    data, pin_data = mujoco.MjData(model), built.createData()
    data.qpos[0] = 1.1
    mujoco.mj_forward(model, data)
    pin.framesForwardKinematics(built, pin_data, np.array([1.1]))
    placement = pin_data.oMf[built.getFrameId("a")]
    np.testing.assert_allclose(placement.translation, data.body("a").xpos, atol=1e-12)
    np.testing.assert_allclose(placement.rotation.ravel(), data.body("a").xmat, atol=1e-12)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = one_joint(
        tmp_path / "arm.xml", before='<body name="table"><geom size="1"/></body>', link=' gravcomp="1"'
    )
    lifted, scenery = check_mjcf(compile_mjcf(path))
    assert lifted == "gravity compensation (gravcomp) of a is ignored: the links have weight"
    assert scenery == "table: a body that is not part of the robot is left out"
    assert check_mjcf(compile_mjcf(one_joint(path))) == ()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"joint": ' stiffness="30"'}, "joint 'j' has a spring (stiffness 30)"),
        (
            {"rest": "<equality><joint name='held' joint1='j'/></equality>"},
            "the equality constraint 'held' (joint) couples joints, which the controller's model cannot",
        ),
        (
            {"rest": "<tendon><fixed name='cord' stiffness='5'><joint joint='j' coef='1'/></fixed></tendon>"},
            "the tendon 'cord' has a spring, friction or limits",
        ),
        (
            {"before": '<body name="ball"><freejoint/><geom size="1"/></body>'},
            "has 2 root bodies with joints, such as 'ball' and 'base'",
        ),
        (
            {"link": "><joint name='k' axis='1 0 0'/"},
            "body 'a' has 2 degrees of freedom with its joint",
        ),
        ({"link": "><joint/><geom size='1'/></body><body pos='0 0 1'"}, "has a joint without a name"),
    ],
)
def test_what_the_controllers_model_cannot_have_is_refused(
    tmp_path: Path, parts: dict[str, str], expected: str
) -> None:
    one_joint(tmp_path / "arm.xml", **parts)
    (tmp_path / "robot.yaml").write_text(
        "robot: r\nmodel: arm.xml\nbase: fixed\ntorque_limit_Nm: 5\nhands: {hand: {link: a}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        RobotModel.load(tmp_path)
    assert expected in str(caught.value)
