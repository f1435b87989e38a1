"""A biped that does not face along the x axis of its root link is found out, and faces +x as a robot."""

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.robot_folder.draft import read_draft
from kilohertz.rt.robot_folder.forward import find_forward_rad
from kilohertz.rt.robot_folder.new import new_robot
from kilohertz.rt.run.session import RunPlan, Session

LINK = (
    '<link name="{0}"><inertial><origin xyz="{1}"/><mass value="{2}"/>'
    '<inertia ixx="0.02" iyy="0.02" izz="0.02" ixy="0" ixz="0" iyz="0"/></inertial>{3}</link>'
)
JOINT = (
    '<joint name="{0}" type="revolute"><parent link="{1}"/><child link="{2}"/><origin xyz="{3}"/>'
    '<axis xyz="{4}"/><limit lower="{5}" upper="{6}" effort="120" velocity="10"/></joint>'
)
SOLE = '<collision><origin xyz="0.04 0 -0.05"/><geometry><box size="0.22 0.1 0.04"/></geometry></collision>'
CHAIN = (
    ("hip_yaw", "0 0 1", "0 {y} -0.05", -1, 1),
    ("hip_roll", "1 0 0", "0 0 0", -0.8, 0.8),
    ("hip_pitch", "0 1 0", "0 0 0", -2, 2),
    ("knee", "0 1 0", "0 0 -0.3", -0.05, 2.4),
    ("ankle_pitch", "0 1 0", "0 0 -0.3", -1, 1),
    ("ankle_roll", "1 0 0", "0 0 0", -0.5, 0.5),
)


def biped(tmp_path: Path, faces_deg: float, left: str = "left_", right: str = "right_") -> str:
    """Writes a biped that faces in a direction of its root link; returns the path."""
    parts = [
        LINK.format("pelvis", "0 0 0.1", 4, ""),
        LINK.format("hips", "0 0 0.15", 8, ""),
        '<joint name="turn" type="fixed"><parent link="pelvis"/><child link="hips"/>'
        f'<origin rpy="0 0 {np.deg2rad(faces_deg)}"/></joint>',
    ]
    for side, y in ((left, 0.1), (right, -0.1)):
        parent = "hips"
        for name, axis, place, low, high in CHAIN:
            end = name == "ankle_roll"
            link = f"{side}foot" if end else f"{side}{name}_link"
            down = "0 0 -0.15" if name in ("hip_pitch", "knee") else "0 0 0"
            parts.append(LINK.format(link, down, 1.2, SOLE if end else ""))
            parts.append(JOINT.format(side + name, parent, link, place.format(y=y), axis, low, high))
            parent = link
    path = tmp_path / "walker.urdf"
    path.write_text(f'<robot name="walker">{"".join(parts)}</robot>')
    return str(path)


@pytest.mark.parametrize("faces_deg", [0.0, 90.0, 180.0, -90.0])
@pytest.mark.parametrize("names", [("left_", "right_"), ("one_", "two_")])
def test_names_or_toes_tell_where_a_robot_faces(
    tmp_path: Path, faces_deg: float, names: tuple[str, str]
) -> None:
    draft = read_draft(biped(tmp_path, faces_deg, *names), tmp_path)
    assert np.rad2deg(find_forward_rad(draft)) == pytest.approx(faces_deg)


@pytest.mark.parametrize("faces_deg", [90.0, 180.0])
def test_a_new_robot_faces_along_its_x_axis_with_its_left_foot_to_the_left(
    tmp_path: Path, faces_deg: float
) -> None:
    robot = RobotModel.load(new_robot(biped(tmp_path, faces_deg), tmp_path / "walker"))
    assert np.rad2deg(robot.description.forward_rad) == pytest.approx(faces_deg, abs=1e-3)
    assert robot.description.trunk == "pelvis"
    assert any(f"faces {faces_deg:.0f} deg from the x axis of its root link" in note for note in robot.notes)
    assert [contact.link for contact in robot.contacts] == ["left_foot", "right_foot"]
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    left, right = (data.oMf[contact.frame_id] for contact in robot.contacts)
    assert left.translation[1] > right.translation[1] + 0.1
    toe = left.translation - data.oMf[robot.pin_model.getFrameId("left_foot")].translation
    assert toe[0] == pytest.approx(0.04, abs=2e-3)


def test_a_robot_that_faces_along_x_gets_no_entry(tmp_path: Path) -> None:
    folder = new_robot(biped(tmp_path, 0.0), tmp_path / "walker")
    assert "forward_rad" not in (folder / "robot.yaml").read_text()


@pytest.mark.long
@pytest.mark.closed_loop
def test_a_robot_whose_root_link_faces_back_walks_forward(tmp_path: Path) -> None:
    folder = new_robot(biped(tmp_path, 180.0), tmp_path / "walker")
    scenario = {
        "name": "forward",
        "duration_s": 6,
        "commands": [{"at_s": 0, "stand": {}}, {"at_s": 1, "walk": {"velocity_m_s": [0.2, 0.0]}}],
    }
    result = Session(RunPlan(str(folder), scenario)).run()
    assert not result.fell
    forward, aside = result.summary["tracking"]["mean_velocity_m_s"]
    assert forward == pytest.approx(0.2, rel=0.15)
    assert abs(aside) < 0.02


def test_the_public_icub_faces_against_its_root_link_and_stands_on_its_whole_soles(tmp_path: Path) -> None:
    model = "example-robot-data:icub_description/robots/icub.urdf"
    robot = RobotModel.load(new_robot(model, tmp_path / "icub"))
    assert robot.description.forward_rad == pytest.approx(np.pi, abs=1e-4)
    assert robot.description.repair_inertia
    assert [contact.link for contact in robot.contacts] == ["l_foot", "r_foot"]
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    for contact in robot.contacts:
        pose = data.oMf[contact.frame_id]
        length_m, width_m, height_m = np.ptp([pose.act(corner) for corner in contact.corners_F], axis=0)
        # Its COLLADA meshes have the y axis up; read otherwise, the feet point sideways.
        assert length_m == pytest.approx(0.106, abs=5e-3)
        assert width_m == pytest.approx(0.052, abs=5e-3)
        assert height_m < 1e-3
