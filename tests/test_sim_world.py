"""The world is the robot, the scenario's ground and no more."""

import mujoco
import numpy as np
import pytest
from sim_runs import ROBOTS, robot, scenario

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.world import build_world


@pytest.mark.parametrize("name", ROBOTS)
def test_degrees_of_freedom_are_those_of_the_model(name):
    world = build_world(robot(name), scenario(), 0)
    assert world.model.nv == robot(name).nv
    assert world.model.nu == robot(name).na
    assert not mujoco.mj_isSparse(world.model)
    assert world.model.opt.timestep == 1e-3
    np.testing.assert_array_equal(world.model.dof_armature[world.joint_dof], robot(name).armature_kgm2)
    for index, joint in enumerate(robot(name).joint_names):
        assert world.model.actuator(index).name == joint


def test_ground_friction_is_the_scenarios_whatever_the_robots():
    world = build_world(robot("g1"), scenario(ground={"kind": "flat", "friction": 0.33}), 0)
    mujoco.mj_step(world.model, world.data)
    data = world.data
    data.qpos[2] = robot("g1").q_nominal[2] - 0.001
    mujoco.mj_forward(world.model, data)
    assert data.ncon > 0
    np.testing.assert_allclose(data.contact.friction[:, 0], 0.33)


def test_a_mesh_in_millimetres_without_a_scale_is_refused(tmp_path):
    corners = np.array([[0, 0, 0], [120, 0, 0], [0, 120, 0], [0, 0, 300]], dtype="<f4")
    faces = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    triangles = b"".join(bytes(12) + corners[list(face)].tobytes() + bytes(2) for face in faces)
    (tmp_path / "arm.stl").write_bytes(bytes(80) + len(faces).to_bytes(4, "little") + triangles)
    inertial = (
        '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
    )
    mesh = '<collision><geometry><mesh filename="arm.stl"{}/></geometry></collision>'
    urdf = (
        f'<robot name="r"><link name="a"/><link name="b">{inertial}{mesh}</link><joint name="j" '
        'type="revolute"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>'
        '<limit lower="-1" upper="1" effort="9" velocity="1"/></joint></robot>'
    )
    (tmp_path / "robot.yaml").write_text("robot: r\nmodel: arm.urdf\nbase: fixed\nhands: {hand: {link: b}}\n")
    (tmp_path / "arm.urdf").write_text(urdf.format(""))
    with pytest.raises(ConfigError, match=r"mesh 'arm' of link 'b' is \d+ m large: a mesh in millimetres"):
        build_world(RobotModel.load(tmp_path), scenario(), 0)
    (tmp_path / "arm.urdf").write_text(urdf.format(' scale="0.001 0.001 0.001"'))
    assert build_world(RobotModel.load(tmp_path), scenario(), 0).notes == ()


FOOTPRINT_YAML = """
robot: block
model: block.urdf
base: floating
imu: {link: base_footprint}
contacts:
  sole: {link: foot, corners_m: [[.1, .1, -.1], [.1, -.1, -.1], [-.1, -.1, -.1], [-.1, .1, -.1]], friction: 1}
"""

FOOTPRINT_URDF = """
<robot name="block">
  <link name="base_footprint"/>
  <link name="body"><inertial><mass value="5"/>
    <inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="foot"><inertial><mass value="1"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="fixed" type="fixed"><parent link="base_footprint"/><child link="body"/>
    <origin xyz="0 0 0.5"/></joint>
  <joint name="ankle" type="revolute"><parent link="body"/><child link="foot"/><origin xyz="0 0 -0.4"/>
    <axis xyz="0 1 0"/><limit lower="-1" upper="1" effort="50" velocity="5"/></joint>
</robot>
"""


def test_a_massless_base_link_between_the_feet_is_no_fall(tmp_path):
    (tmp_path / "robot.yaml").write_text(FOOTPRINT_YAML)
    (tmp_path / "block.urdf").write_text(FOOTPRINT_URDF)
    sim = SimulatedRobot(RobotModel.load(str(tmp_path)), scenario(), 0)
    for _ in range(300):
        sim.advance()
    assert not sim.fell
    assert sim.truth.normal_force_N.sum() == pytest.approx(6 * 9.81, rel=0.01)
