import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.mujoco_robot import robot_spec

SHIPPED = ["g1", "talos", "alexander", "bolt", "panda", "ur5"]
BIPEDS = ["g1", "talos", "alexander", "bolt"]

INERTIA = '<inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/>'
LINK = f'<link name="{{}}"><inertial><mass value="{{}}"/>{INERTIA}</inertial></link>'
JOINT = (
    '<joint name="{}" type="{}"><parent link="{}"/><child link="{}"/>'
    '<origin xyz="0 0 -0.4"/><axis xyz="0 1 0"/>'
    '<limit effort="{}" velocity="{}" lower="-1.5" upper="1.5"/></joint>'
)

URDF = (
    "<robot name='hopper'>"
    + LINK.format("torso", 5)
    + LINK.format("thigh", 2)
    + LINK.format("foot", 1)
    + LINK.format("wheel", 1)
    + JOINT.format("hip", "revolute", "torso", "thigh", 80, 10)
    + JOINT.format("ankle", "revolute", "thigh", "foot", 40, 0)
    + JOINT.format("spin", "continuous", "torso", "wheel", 10, 5)
    + "</robot>"
)

FLOATING = """\
robot: hopper
model: models/hopper.urdf
base: floating
imu: {link: torso, p_BI_m: [0.1, 0, 0.2], rpy_BI_rad: [0, 0, 1.5]}
contacts:
  left_foot:
    link: foot
    corners_m: [[0.2, 0.1, -0.05], [0.2, -0.1, -0.05], [-0.1, -0.1, -0.05], [-0.1, 0.1, -0.05]]
    friction: 0.7
hands:
  left_hand: {link: wheel, p_LH_m: [0, 0, 0.3]}
posture_rad: {hip: -0.4, ankle: 0.4}
"""

MJCF = """<mujoco>
<default><joint armature="0.02" range="-1 1"/></default>
<compiler angle="radian" autolimits="true"/>
<worldbody><geom type="plane" size="1 1 1"/>
<body name="torso" pos="0 0 1">{}<geom type="box" size=".1 .1 .1" mass="5"/>
 <body name="thigh" pos="0 0 -0.4"><joint name="hip" axis="0 1 0"/><geom size=".05" mass="2"/>
  <body name="foot" pos="0 0 -0.4"><joint name="ankle" axis="0 1 0"/><geom size=".05" mass="1"/>
  </body></body></body></worldbody>
<actuator><motor joint="hip" gear="40" ctrlrange="-2 2"/>
 <position joint="ankle" kp="9" forcerange="-30 30"/></actuator>
</mujoco>"""


def robot_folder(tmp_path: Path, description: str = FLOATING, model: str = URDF) -> Path:
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / "hopper.urdf").write_text(model)
    (tmp_path / "robot.yaml").write_text(description)
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        RobotModel.load(folder)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.fixture(scope="module", params=SHIPPED)
def robot(request: pytest.FixtureRequest) -> RobotModel:
    return RobotModel.load(request.param)


def forward(robot: RobotModel, q: np.ndarray) -> pin.Data:
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, q)
    pin.centerOfMass(robot.pin_model, data, q)
    return data


def test_sizes_belong_together(robot: RobotModel) -> None:
    assert robot.nq == robot.nq_base + robot.na == robot.pin_model.nq
    assert robot.nv == robot.n_base + robot.na == robot.pin_model.nv
    assert (robot.n_base, robot.nq_base) == ((6, 7) if robot.floating else (0, 0))
    assert len(robot.joint_names) == robot.na
    for name in ("torque_limit_Nm", "velocity_limit_rad_s", "position_lower_rad", "armature_kgm2"):
        assert getattr(robot, name).shape == (robot.na,)
    assert robot.q_nominal.shape == (robot.nq,)
    assert robot.new_command_row().q_des.shape == (robot.na,)
    assert robot.new_sensor_row().contact_force_N.shape == (len(robot.contacts),)


def test_every_limit_is_one_that_a_robot_can_have(robot: RobotModel) -> None:
    assert (robot.torque_limit_Nm > 0).all()
    assert (robot.torque_limit_Nm < 1000).all()
    assert (robot.velocity_limit_rad_s > 0).all()
    assert (robot.velocity_limit_rad_s < 1000).all()
    assert (robot.position_lower_rad < robot.position_upper_rad).all()


def test_the_mass_is_that_of_the_urdf(robot: RobotModel) -> None:
    root = ET.parse(robot.model_path).getroot()
    total = sum(float(mass.get("value", 0)) for mass in root.findall("link/inertial/mass"))
    bolted = 0.0
    if not robot.floating:  # what is fixed to the world does not move
        bolted = sum(
            float(mass.get("value", 0))
            for link in root.findall("link")
            if link.get("name") in ("panda_link0", "base_link", "world")
            for mass in link.findall("inertial/mass")
        )
    assert robot.mass_kg == pytest.approx(total - bolted, rel=1e-12)


def test_armature_adds_to_the_mass_matrix(robot: RobotModel) -> None:
    bare = robot.pin_model.copy()
    bare.armature = np.zeros(robot.nv)
    M = pin.crba(robot.pin_model, robot.pin_model.createData(), robot.q_nominal)
    M_bare = pin.crba(bare, bare.createData(), robot.q_nominal)
    np.testing.assert_allclose(
        np.diag(M - M_bare), np.r_[np.zeros(robot.n_base), robot.armature_kgm2], atol=1e-9
    )


def test_frames_move_as_their_jacobians_say(robot: RobotModel) -> None:
    model = robot.pin_model
    ids = [frame.frame_id for frame in (*robot.contacts, *robot.hands)]
    ids += [] if robot.imu_frame_id is None else [robot.imu_frame_id]
    v = np.random.default_rng(0).normal(size=robot.nv)
    step = 1e-6
    data = model.createData()
    before = forward(robot, pin.integrate(model, robot.q_nominal, -step * v))
    after = forward(robot, pin.integrate(model, robot.q_nominal, step * v))
    for frame_id in ids:
        J = pin.computeFrameJacobian(model, data, robot.q_nominal, frame_id, pin.LOCAL_WORLD_ALIGNED)
        moved = (after.oMf[frame_id].translation - before.oMf[frame_id].translation) / (2 * step)
        np.testing.assert_allclose(J[:3] @ v, moved, atol=1e-6)


def test_contact_frames_stand_in_the_middle_of_their_corners(robot: RobotModel) -> None:
    data = forward(robot, robot.q_nominal)
    for contact in robot.contacts:
        assert robot.pin_model.frames[contact.frame_id].name == f"contact/{contact.name}"
        np.testing.assert_allclose(contact.corners_F.mean(axis=0), np.zeros(3), atol=1e-12)
        M_WL = data.oMf[robot.pin_model.getFrameId(contact.link, pin.FrameType.BODY)]
        M_WF = data.oMf[contact.frame_id]
        corners_L = np.array(robot.description.contacts[contact.name].corners_m)
        for corner_F, corner_L in zip(contact.corners_F, corners_L, strict=True):
            np.testing.assert_allclose(M_WF.act(corner_F), M_WL.act(corner_L), atol=1e-12)


@pytest.mark.parametrize("name", BIPEDS)
def test_a_biped_stands_level_on_the_ground_under_its_centre_of_mass(name: str) -> None:
    robot = RobotModel.load(name)
    data = forward(robot, robot.q_nominal)
    corners_W = np.array(
        [data.oMf[contact.frame_id].act(corner) for contact in robot.contacts for corner in contact.corners_F]
    )
    assert corners_W[:, 2].min() == pytest.approx(0.0, abs=1e-12)
    assert corners_W[:, 2].max() < 1e-3
    for contact in robot.contacts:
        np.testing.assert_allclose(data.oMf[contact.frame_id].rotation, np.eye(3), atol=0.02)
    middle = corners_W.mean(axis=0)
    assert np.abs(data.com[0] - middle)[:2].max() < 0.015
    np.testing.assert_array_equal(robot.q_nominal[:2], np.zeros(2))
    np.testing.assert_array_equal(robot.q_nominal[3:7], [0, 0, 0, 1])


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_the_hand_of_an_arm_can_move_every_way(name: str) -> None:
    robot = RobotModel.load(name)
    J = pin.computeFrameJacobian(
        robot.pin_model, robot.pin_model.createData(), robot.q_nominal, robot.hands[0].frame_id, pin.LOCAL
    )
    assert np.linalg.svd(J, compute_uv=False)[5] > 0.1


def test_what_is_loaded_cannot_be_changed_by_accident(robot: RobotModel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        robot.q_nominal[0] = 1.0


def test_hashes_tell_models_and_descriptions_apart(tmp_path: Path) -> None:
    first = RobotModel.load(robot_folder(tmp_path))
    again = RobotModel.load(robot_folder(tmp_path, FLOATING + "\n# only a comment\n"))
    other = RobotModel.load(robot_folder(tmp_path, FLOATING.replace("0.7", "0.8")))
    assert first.config_sha256 == again.config_sha256 != other.config_sha256
    assert first.model_sha256 == other.model_sha256
    heavier = RobotModel.load(robot_folder(tmp_path, model=URDF.replace('value="5"', 'value="6"')))
    assert heavier.model_sha256 != first.model_sha256


def test_a_users_robot_with_a_relative_model(tmp_path: Path) -> None:
    robot = RobotModel.load(str(robot_folder(tmp_path)))
    assert robot.joint_names == ("hip", "ankle", "spin")
    assert robot.mass_kg == pytest.approx(9.0)
    np.testing.assert_allclose(robot.torque_limit_Nm, [80, 40, 10])
    # The ankle's velocity limit of 0 is one that nobody knew.
    np.testing.assert_allclose(robot.velocity_limit_rad_s, [10, 20, 5])
    assert robot.position_lower_rad.tolist() == [-1.5, -1.5, -np.inf]
    assert robot.position_upper_rad.tolist() == [1.5, 1.5, np.inf]
    assert (robot.nq, robot.nv) == (10, 9)
    assert forward(robot, robot.q_nominal).oMf[robot.imu_frame_id].translation == pytest.approx(
        [0.1, 0.0, robot.q_nominal[2] + 0.2]
    )


def test_numbers_in_the_description_override_the_model(tmp_path: Path) -> None:
    more = "torque_limit_Nm: {hip: 33}\nvelocity_limit_rad_s: 7\narmature_kgm2: {ankle: 0.03}\n"
    robot = RobotModel.load(robot_folder(tmp_path, FLOATING + more))
    np.testing.assert_allclose(robot.torque_limit_Nm, [33, 40, 10])
    np.testing.assert_allclose(robot.velocity_limit_rad_s, [7, 7, 7])
    np.testing.assert_allclose(robot.armature_kgm2, [0, 0.03, 0])
    np.testing.assert_allclose(robot.pin_model.armature, [0] * 6 + [0, 0.03, 0])


def test_a_locked_joint_leaves_the_model_but_not_its_mass(tmp_path: Path) -> None:
    on_thigh = FLOATING.replace("{link: wheel,", "{link: thigh,")
    robot = RobotModel.load(robot_folder(tmp_path, on_thigh + "locked_joints_rad: {spin: 1.0}\n"))
    assert robot.joint_names == ("hip", "ankle")
    assert robot.mass_kg == pytest.approx(9.0)


def test_both_simulators_read_the_same_text(robot: RobotModel) -> None:
    root = ET.fromstring(robot.urdf_text)
    for link in root.findall("link"):
        for tag in ("visual", "collision"):
            for element in link.findall(tag):
                link.remove(element)
    ET.SubElement(ET.SubElement(root, "mujoco"), "compiler", fusestatic="false", balanceinertia="false")
    model = mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"))
    assert model.njnt == robot.na
    assert {model.joint(index).name for index in range(model.njnt)} == set(robot.joint_names)


@pytest.mark.parametrize(("free", "base"), [("<freejoint/>", "floating"), ("", "fixed")])
def test_a_users_robot_in_mjcf(tmp_path: Path, free: str, base: str) -> None:
    description = (
        FLOATING.split("hands:")[0] if base == "floating" else "robot: hopper\nmodel: models/hopper.urdf\n"
    )
    if base == "fixed":
        description += "base: fixed\n"
    robot = RobotModel.load(robot_folder(tmp_path, description, MJCF.format(free)))
    assert robot.model_format == "mjcf"
    assert robot.joint_names == ("hip", "ankle")
    np.testing.assert_allclose(robot.torque_limit_Nm, [80, 30])
    np.testing.assert_allclose(robot.armature_kgm2, [0.02, 0.02])
    np.testing.assert_allclose(robot.position_upper_rad, [1, 1])
    # A root that is bolted to the world does not move.
    assert robot.mass_kg == pytest.approx(8.0 if base == "floating" else 3.0)
    if base == "floating":
        assert robot.q_nominal[2] == pytest.approx(0.85)


@pytest.mark.parametrize("locked", ["", "locked_joints_rad: {ankle: 0.0}\n"])
def test_the_root_of_an_mjcf_that_was_made_from_a_urdf_becomes_free(tmp_path: Path, locked: str) -> None:
    description = FLOATING.split("hands:")[0] + locked
    free, hung = (
        RobotModel.load(robot_folder(tmp_path, description, MJCF.format(root) + "\n"))
        for root in ("<freejoint/>", "")
    )
    assert hung.floating
    assert "the file has no <freejoint/>: body 'torso' gets one, because base is 'floating'" in hung.notes
    assert not any("freejoint" in note for note in free.notes)
    np.testing.assert_array_equal(hung.q_nominal, free.q_nominal)
    assert hung.mass_kg == free.mass_kg
    for ours, theirs in zip(hung.pin_model.jointPlacements, free.pin_model.jointPlacements, strict=True):
        np.testing.assert_array_equal(ours.homogeneous, theirs.homogeneous)
    # The file that the simulation reads too.
    spec, _ = robot_spec(hung)
    model = spec.compile()
    assert model.nq == hung.nq
    assert model.nv == hung.nv


def test_a_frame_of_the_users_does_not_take_the_place_of_ours(tmp_path: Path) -> None:
    model = MJCF.format('<freejoint/><site name="imu" pos="9 9 9"/>')
    robot = RobotModel.load(robot_folder(tmp_path, FLOATING.split("hands:")[0], model))
    assert robot.imu_frame_id is not None
    assert robot.pin_model.frames[robot.imu_frame_id].placement.translation.tolist() == [0.1, 0.0, 0.2]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "link: torso,",
            "link: torse,",
            "4:7: imu.link: 'torse' is not a link of the model (did you mean 'torso'?)",
        ),
        ("link: foot", "link: foto", "7:5: contacts.left_foot.link: 'foto' is not a link of the model"),
        ("link: wheel", "link: whel", "11:15: hands.left_hand.link: 'whel' is not a link of the model"),
        ("base:", "trunk: torsoo\nbase:", "3:1: trunk: 'torsoo' is not a link of the model"),
        ("hip: -0.4", "hp: -0.4", "12:15: posture_rad.hp: is not a joint of the model (did you mean 'hip'?)"),
        (
            "hip: -0.4",
            "hip: -4",
            "12:15: posture_rad.hip: should be within the joint's limits -1.5 to 1.5, not -4",
        ),
        ("base:", "armature_kgm2: {hipp: 1}\nbase:", "3:17: armature_kgm2.hipp: is not a joint of the model"),
        ("base:", "torque_limit_Nm: {knee: 1}\nbase:", "3:19: torque_limit_Nm.knee: is not a joint"),
        ("base:", "velocity_limit_rad_s: {x: 1}\nbase:", "3:24: velocity_limit_rad_s.x: is not a joint"),
        ("base:", "joint_friction_Nm: {x: 1}\nbase:", "3:21: joint_friction_Nm.x: is not a joint"),
        ("base:", "joint_damping_Nms: {x: 1}\nbase:", "3:21: joint_damping_Nms.x: is not a joint"),
        ("base:", "locked_joints_rad: {x: 1}\nbase:", "3:21: locked_joints_rad.x: is not a joint"),
        (
            "base:",
            "locked_joints_rad: {spin: 1}\narmature_kgm2: {spin: 1}\nbase:",
            "4:17: armature_kgm2.spin: is a locked joint",
        ),
        ("hopper.urdf", "hoper.urdf", "2:1: model: there is no file"),
    ],
)
def test_a_name_that_the_model_does_not_have_is_refused(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    lines = refusal(robot_folder(tmp_path, FLOATING.replace(old, new, 1))).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"robot.yaml:{expected}")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('effort="80"', 'effort="0"', "torque_limit_Nm: is needed for 'hip'"),
        ('effort="80"', 'effort="1000"', "torque_limit_Nm: is needed for 'hip'"),
        ('lower="-1.5"', 'lower="3"', "the limit of joint 'hip' (line 1): lower=3 is above upper=1.5"),
        ('lower="-1.5"', 'lower="0.1"', "posture_rad.hip: should be within"),
        ('<mass value="5"/>', '<mass value="-5"/>', "has no mass, or a link with a negative mass"),
        ('type="revolute"', 'type="planar"', "2:1: model: joint 'hip' is of type 'planar'"),
        ("</robot>", "", "2:1: model:"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in refusal(robot_folder(tmp_path, model=URDF.replace(old, new, 1)))


def test_a_joint_left_out_of_the_posture_must_be_able_to_be_at_zero(tmp_path: Path) -> None:
    model = URDF.replace('lower="-1.5"', 'lower="-1.5"', 1).replace('upper="1.5"', 'upper="-0.2"', 1)
    text = refusal(robot_folder(tmp_path, FLOATING.replace("hip: -0.4, ", ""), model))
    assert "posture_rad: needs a value for 'hip': its limits -1.5 to -0.2 exclude the default 0" in text


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            MJCF.format('<joint name="lift" type="slide"/>').replace(
                "<actuator>", '<actuator><motor joint="lift" ctrlrange="-9 9"/>'
            ),
            "base: is 'floating', but the root body of the MJCF has another joint than a <freejoint/>",
        ),
        (
            MJCF.format("<freejoint/>").replace(
                '<joint name="hip"', '<joint name="x" axis="1 0 0"/><joint name="hip"'
            ),
            "joint 'x' has no actuator, which the controller's model cannot have",
        ),
        (
            MJCF.format("<freejoint/>").replace('gear="40" ctrlrange="-2 2"', ""),
            "torque_limit_Nm: is needed for 'hip'",
        ),
        (MJCF.format("<freejoint/>").replace('type="box" size=".1', 'type="bax" size=".1'), "model: "),
        ("<mujoco/>", "model: has no joint that can move"),
    ],
)
def test_an_mjcf_that_cannot_be_used_is_refused(tmp_path: Path, model: str, expected: str) -> None:
    text = refusal(robot_folder(tmp_path, FLOATING.split("hands:")[0], model))
    assert expected in text
    assert len(text.splitlines()) == 1


def test_fold_joints_are_checked_like_the_posture(tmp_path):
    text = (ROBOTS_FOLDER / "g1" / "robot.yaml").read_text()
    broken = text.replace("    left_knee_joint: 2.2\n", "    left_kne_joint: 2.2\n", 1)
    broken = broken.replace("    right_knee_joint: 2.2\n", "    right_knee_joint: 22.0\n", 1)
    (tmp_path / "robot.yaml").write_text(broken)
    with pytest.raises(ConfigError) as refused:
        RobotModel.load(tmp_path)
    first, second = str(refused.value).splitlines()
    assert (
        "fold_rad.forward.left_kne_joint: is not a joint of the model (did you mean 'left_knee_joint'?)"
        in first
    )
    assert "fold_rad.forward.right_knee_joint: should be within the joint's limits" in second
