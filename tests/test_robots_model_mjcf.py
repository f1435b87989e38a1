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
    free_root,
    has_free_root,
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
    whole = compile_mjcf(path)
    lifted, scenery = check_mjcf(whole, whole)
    assert lifted == "gravity compensation (gravcomp) of a is ignored: the links have weight"
    assert scenery == "table: a body that is not part of the robot is left out"
    whole = compile_mjcf(one_joint(path))
    assert check_mjcf(whole, whole) == ()


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
            {"link": "><joint name='k' type='ball'/><geom size='1'/></body><body pos='0 0 1'"},
            "body 'a' has a ball joint, 'k'; a joint must have one degree of freedom",
        ),
        (
            {
                "base": "><joint name='x' type='slide'/><joint name='pitch' axis='0 1 0'/",
                "rest": "<actuator><motor joint='j'/></actuator>",
            },
            "the root body 'base' moves by joints without an actuator (x, pitch), as that of a robot",
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


HIP = """<mujoco><compiler angle="radian"/><worldbody>
<body name="trunk" pos="0.1 0.2 0.9" euler="0.1 -0.2 0.3">
<freejoint/><geom type="box" size="0.1 0.15 0.2" mass="9"/>
<body name="thigh" pos="0.02 0.1 -0.2" euler="0.2 0.1 -0.3">
 <joint name="yaw" axis="0 0 1" pos="0.01 0 0.03" range="-1 0.5" armature="0.03" damping="2"/>
 <frame pos="0.03 0 0.01" euler="0.4 0 0.2"><joint name="roll" axis="1 0.2 0" pos="0 0.02 -0.01"/></frame>
 <joint name="stretch" type="slide" axis="0.1 0 -1" ref="0.02" range="-0.1 0.2"/>
 <joint name="pitch" axis="0 1 0.1" pos="-0.02 0.01 0" ref="0.3" range="-2 1"/>
 <geom type="capsule" fromto="0 0 0 0.05 0.02 -0.3" size="0.05" mass="3"/>
 <body name="shank" pos="0.05 0.02 -0.3"><joint name="knee" axis="0 1 0" range="0 2"/>
  <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.04" mass="2"/></body></body></body>
</worldbody></mujoco>"""


def hip(path: Path) -> Path:
    path.write_text(HIP)
    return path


def test_a_body_with_several_joints_moves_and_weighs_as_in_mujoco(tmp_path: Path) -> None:
    model = compile_mjcf(hip(tmp_path / "hip.xml"))
    built = pinocchio_model(model)
    assert list(built.names)[2:] == ["yaw", "roll", "stretch", "pitch", "knee"]
    np.testing.assert_array_equal(built.lowerPositionLimit[7:], [-1.0, -np.inf, -0.1, -2.0, 0.0])
    np.testing.assert_array_equal(built.upperPositionLimit[7:], [0.5, np.inf, 0.2, 1.0, 2.0])
    np.testing.assert_array_equal(built.armature[6:], [0.03, 0.0, 0.0, 0.0, 0.0])
    data, pin_data = mujoco.MjData(model), built.createData()
    rng = np.random.default_rng(0)
    for _ in range(5):
        q = np.r_[rng.normal(size=7), rng.uniform(-2.0, 2.0, 5)]
        q[3:7] /= np.linalg.norm(q[3:7])
        data.qpos[:] = q[[0, 1, 2, 6, 3, 4, 5, 7, 8, 9, 10, 11]]
        mujoco.mj_forward(model, data)
        M = np.zeros((model.nv, model.nv))
        mujoco.mj_fullM(model, data, M)
        T = np.eye(model.nv)
        T[:3, :3] = pin.Quaternion(q[3:7]).matrix()
        pin.framesForwardKinematics(built, pin_data, q)
        M_pin = np.triu(pin.crba(built, pin_data, q))
        np.testing.assert_allclose(M_pin, np.triu(T.T @ M @ T), atol=1e-9)
        gravity = pin.computeGeneralizedGravity(built, pin_data, q)
        np.testing.assert_allclose(gravity, T.T @ data.qfrc_bias, atol=1e-9)
        for name in ("trunk", "thigh", "shank"):
            placement = pin_data.oMf[built.getFrameId(name, pin.FrameType.BODY)]
            np.testing.assert_allclose(placement.translation, data.body(name).xpos, atol=1e-9)
            np.testing.assert_allclose(placement.rotation.ravel(), data.body(name).xmat, atol=1e-9)


SIX = "".join(
    f"<joint name='r{kind}{axis[::2]}' type='{kind}' axis='{axis}'/>"
    for kind in ("slide", "hinge")
    for axis in ("1 0 0", "0 1 0", "0 0 1")
)


@pytest.mark.parametrize("driven", [False, True])
def test_a_root_with_six_passive_joints_becomes_free(tmp_path: Path, driven: bool) -> None:
    motor = "<motor joint='rslide001'/>" if driven else ""
    rest = f"<actuator><motor joint='j'/>{motor}</actuator><sensor><jointpos joint='rhinge100'/></sensor>"
    path = one_joint(tmp_path / "arm.xml", rest, base=f">{SIX}<site name='s'/")
    assert has_free_root(compile_mjcf(path)) != driven
    if not driven:
        spec = mujoco.MjSpec.from_file(str(path))
        assert free_root(spec, "base")
        assert not free_root(spec, "base")
        assert pinocchio_model(spec.compile()).nv == 7


@pytest.mark.parametrize(("stiffness", "left_out"), [("2", True), ("1 1", True), ("6", False)])
def test_only_springs_weaker_than_their_motors_can_be_left_out(
    tmp_path: Path, stiffness: str, left_out: bool
) -> None:
    whole = compile_mjcf(
        one_joint(
            tmp_path / "arm.xml",
            "<compiler angle='radian'/><actuator><motor joint='j' ctrlrange='-10 10'/></actuator>",
            joint=f' range="-2 1" stiffness="{stiffness}"',
        )
    )
    with pytest.raises(ModelFileError) as caught:
        check_mjcf(whole, whole)
    assert ("leave out weak springs with 'ignore_springs: true'" in str(caught.value)) == left_out
    if left_out:
        (note,) = check_mjcf(whole, whole, ignore_springs=True)
        # 2 Nm/rad over 2 rad is 4 Nm; 1 Nm/rad and 1 Nm/rad^2 are 2 + 4 Nm.
        assert (
            f"springs of the joints j (up to {4 if stiffness == '2' else 6} Nm within their limits)" in note
        )
    else:
        with pytest.raises(ModelFileError, match="of up to 12 Nm, which its motor may not overcome"):
            check_mjcf(whole, whole, ignore_springs=True)


@pytest.mark.parametrize("base", ["fixed", "floating"])
def test_a_root_with_six_driven_joints_keeps_them(tmp_path: Path, base: str) -> None:
    names = ["j", *(part for part in SIX.split("'") if part.startswith(("rslide", "rhinge")))]
    motors = "".join(f"<motor joint='{name}' ctrlrange='-10 10'/>" for name in names)
    one_joint(tmp_path / "arm.xml", f"<actuator>{motors}</actuator>", base=f">{SIX}<site name='s'/")
    legs = (
        "imu: {link: base}\ncontacts: {foot: {link: a, corners_m: [[0, 0, 0]], friction: 0.6}}\n"
        if base == "floating"
        else "locked_joints_rad: {rhinge100: 0.2}\n"
    )
    (tmp_path / "robot.yaml").write_text(
        f"robot: r\nmodel: arm.xml\nbase: {base}\nhands: {{hand: {{link: a}}}}\n{legs}"
    )
    if base == "floating":
        with pytest.raises(ConfigError, match="body 'base' cannot get a free joint: MuJoCo says"):
            RobotModel.load(tmp_path)
    else:
        assert RobotModel.load(tmp_path).na == 6


def test_a_urdf_has_no_springs_to_leave_out(tmp_path: Path) -> None:
    link = (
        '<link name="{}"><inertial><mass value="1"/>'
        '<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>'
    )
    (tmp_path / "arm.urdf").write_text(
        f'<robot name="r">{link.format("base")}{link.format("l")}<joint name="j" type="revolute">'
        '<parent link="base"/><child link="l"/><limit effort="1" velocity="1" lower="-1" upper="1"/>'
        "</joint></robot>"
    )
    (tmp_path / "robot.yaml").write_text(
        "robot: r\nmodel: arm.urdf\nbase: fixed\nignore_springs: true\nhands: {hand: {link: l}}\n"
    )
    with pytest.raises(ConfigError, match="is a URDF, which has no springs"):
        RobotModel.load(tmp_path)
