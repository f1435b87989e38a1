"""The robot in MuJoCo is its own model, for shipped robots and for a user's."""

import struct

import mujoco
import numpy as np
import pytest
from sim_runs import ROBOTS, robot, scenario

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.world import build_world

ARM_YAML = """
robot: pendulum
model: {model}
base: fixed
hands: {{hand: {{link: forearm, p_LH_m: [0, 0, -0.3]}}}}
torque_limit_Nm: 20
armature_kgm2: 0.01
"""

ARM_URDF = """
<robot name="pendulum">
  <link name="base"/>
  <link name="arm">
    <inertial><origin xyz="0 0 -0.15"/><mass value="1"/>
      <inertia ixx="0.01" iyy="0.01" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0 0 -0.15"/><geometry><box size="0.03 0.03 0.3"/></geometry></collision>
    <collision><geometry><mesh filename="{mesh}"/></geometry></collision>
  </link>
  <link name="forearm">
    <inertial><origin xyz="0 0 -0.15"/><mass value="0.5"/>
      <inertia ixx="0.005" iyy="0.005" izz="0.0005" ixy="0" ixz="0" iyz="0"/></inertial>
  </link>
  <joint name="shoulder" type="continuous"><parent link="base"/><child link="arm"/>
    <origin xyz="0 0 1"/><axis xyz="0 1 0"/><dynamics friction="3" damping="2"/></joint>
  <joint name="elbow" type="revolute"><parent link="arm"/><child link="forearm"/>
    <origin xyz="0 0 -0.3"/><axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="10" velocity="5"/></joint>
</robot>
"""

ARM_MJCF = """
<mujoco>
  <option timestep="0.01" gravity="0 0 -1"/>
  <worldbody>
    <light pos="0 0 3"/>
    <geom name="floor" type="plane" size="1 1 1"/>
    <body name="arm" pos="0 0 1">
      <joint name="shoulder" axis="0 1 0" damping="3" range="-90 90" limited="true"/>
      <inertial pos="0 0 -0.15" mass="1" diaginertia="0.01 0.01 0.001"/>
      <geom type="capsule" size="0.02" fromto="0 0 0 0 0 -0.3"/>
      <body name="forearm" pos="0 0 -0.3">
        <joint name="elbow" axis="0 1 0" range="-120 120" limited="true"/>
        <inertial pos="0 0 -0.15" mass="0.5" diaginertia="0.005 0.005 0.0005"/>
        <geom type="capsule" size="0.02" fromto="0 0 -0.03 0 0 -0.3"/>
        <geom name="cover" type="sphere" size="0.2" contype="0" conaffinity="0"/>
      </body>
    </body>
  </worldbody>
  <actuator><position name="s" joint="shoulder" kp="100" forcerange="-20 20"/></actuator>
  <keyframe><key name="home" qpos="0 0"/></keyframe>
</mujoco>
"""


def user_robot(tmp_path, model_name, text):
    (tmp_path / "robot.yaml").write_text(ARM_YAML.format(model=model_name))
    (tmp_path / model_name).write_text(text)
    return RobotModel.load(str(tmp_path))


def ascii_stl(path):
    path.write_text(
        "solid s\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\n"
    )
    return path


def binary_stl(path, scale=0.05):
    corners = scale * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    body = b"".join(struct.pack("<3f", 0, 0, 0) + corners[list(f)].tobytes() + b"\0\0" for f in faces)
    path.write_bytes(b"\0" * 80 + struct.pack("<I", len(faces)) + body)
    return path


def arm_urdf(tmp_path, mesh=None):
    text = ARM_URDF.format(mesh=mesh or binary_stl(tmp_path / "part.stl"))
    return user_robot(tmp_path, "arm.urdf", text)


@pytest.mark.parametrize("name", ROBOTS)
def test_joint_limits_are_those_of_the_model(name):
    model, world = robot(name), build_world(robot(name), scenario(), 0)
    for index, joint in enumerate(model.joint_names):
        found = world.model.joint(joint)
        lower, upper = model.position_lower_rad[index], model.position_upper_rad[index]
        assert bool(found.limited[0]) == bool(np.isfinite(lower) and np.isfinite(upper))
        if np.isfinite(lower):
            np.testing.assert_allclose(found.range, [lower, upper])


def test_a_users_urdf_can_be_simulated(tmp_path):
    model = arm_urdf(tmp_path)
    sim = SimulatedRobot(model, scenario(), 0)
    assert sim.world.notes == ()
    assert sim.world.model.nv == 2
    assert not sim.world.model.jnt_limited[sim.world.model.joint("shoulder").id]
    assert not sim.world.model.dof_damping.any()


def test_a_users_mjcf_can_be_simulated_and_brings_no_world_of_its_own(tmp_path):
    model = user_robot(tmp_path, "arm.xml", ARM_MJCF)
    world = build_world(model, scenario(), 0)
    assert world.model.opt.timestep == 1e-3
    np.testing.assert_array_equal(world.model.opt.gravity, [0.0, 0.0, -9.81])
    np.testing.assert_array_equal(model.pin_model.gravity.linear, world.model.opt.gravity)
    assert [world.model.actuator(i).name for i in range(world.model.nu)] == ["shoulder", "elbow"]
    assert world.model.nlight == 0
    assert world.model.nkey == 0
    cover = world.model.geom("cover")
    assert cover.contype[0] == cover.conaffinity[0] == 0
    ground = [world.model.geom(i).name for i in range(world.model.ngeom) if world.model.geom_bodyid[i] == 0]
    assert ground == ["ground"]
    assert not world.model.dof_damping.any()
    np.testing.assert_allclose(world.model.jnt_range[:, 1], model.position_upper_rad)


def test_names_of_a_users_mjcf_do_not_collide_with_those_of_the_simulation(tmp_path):
    named = ARM_MJCF.replace("</body>", '<site name="hand/tool"/><site name="imu"/></body>', 1)
    named = named.replace('name="cover"', 'name="ground"').replace(
        "<worldbody>", "<worldbody><body name='table' pos='3 0 0'><geom size='.1'/></body>"
    )
    assert 'name="ground"' in named
    world = build_world(user_robot(tmp_path, "arm.xml", named), scenario(), 0)
    assert world.model.geom("ground").type[0] == mujoco.mjtGeom.mjGEOM_PLANE
    assert world.notes == ("table: a body that is not part of the robot is left out",)


def test_urdf_and_mjcf_of_the_same_arm_move_alike(tmp_path):
    motions = []
    for folder in ("urdf", "mjcf"):
        (tmp_path / folder).mkdir()
        model = (
            arm_urdf(tmp_path / folder)
            if folder == "urdf"
            else user_robot(tmp_path / folder, "arm.xml", ARM_MJCF)
        )
        sim = SimulatedRobot(model, scenario(), 0)
        command = model.new_command_row()
        for tick in range(200):
            command.seq[0] = tick
            command.tau_ff[:] = [1.0, -0.2]
            sim.write(command)
        motions.append(sim.truth.q.copy())
    assert np.abs(motions[0]).max() > 0.1
    np.testing.assert_allclose(motions[0], motions[1], atol=1e-9)


def test_a_pendulum_keeps_its_energy(tmp_path):
    sim = SimulatedRobot(arm_urdf(tmp_path), scenario(), 0)
    data, model = sim.world.data, sim.world.model
    model.opt.enableflags |= int(mujoco.mjtEnableBit.mjENBL_ENERGY)
    data.qpos[:] = [1.0, -0.5]
    data.ctrl[:] = 0.0
    mujoco.mj_forward(model, data)
    start = data.energy.sum()
    swing = 0.0
    for _ in range(2000):
        mujoco.mj_step(model, data)
        mujoco.mj_energyPos(model, data)
        mujoco.mj_energyVel(model, data)
        swing = max(swing, data.energy[1])
        assert abs(data.energy.sum() - start) < 0.02
    assert swing > 1.0


@pytest.mark.parametrize("mesh", ["ascii", "missing", "dae"])
def test_a_mesh_that_cannot_be_read_is_left_out_with_a_note(tmp_path, mesh):
    path = tmp_path / ("part.dae" if mesh == "dae" else "part.stl")
    if mesh == "ascii":
        ascii_stl(path)
    elif mesh == "dae":
        path.write_text("<COLLADA/>")
    world = build_world(arm_urdf(tmp_path, path), scenario(), 0)
    assert world.notes == (
        f"arm: collision mesh {path.name} is left out (the file is missing, or neither binary STL nor OBJ)",
    )


def test_a_model_that_only_mujoco_cannot_read_is_refused_with_its_file(tmp_path):
    (tmp_path / "part.stl").write_bytes(bytes(84))  # a binary STL without a face
    model = user_robot(tmp_path, "arm.urdf", ARM_URDF.format(mesh=tmp_path / "part.stl"))
    with pytest.raises(ConfigError, match=r"arm\.urdf: MuJoCo cannot read the model: .*face"):
        build_world(model, scenario(), 0)


def test_collision_geometry_without_a_size_is_left_out_with_a_note(tmp_path):
    path = binary_stl(tmp_path / "part.stl")
    text = ARM_URDF.format(mesh=path).replace(
        f'<mesh filename="{path}"/>', '<cylinder radius="0.1" length="0"/>'
    )
    world = build_world(user_robot(tmp_path, "arm.urdf", text), scenario(), 0)
    assert world.notes == ("arm: collision geometry of size 0 is left out",)


def test_defaults_of_a_users_mjcf_for_its_joints_do_not_slow_its_base(tmp_path):
    body = '<inertial pos="0 0 0" mass="1" diaginertia="0.1 0.1 0.1"/><geom size="0.1"/>'
    (tmp_path / "robot.yaml").write_text(
        "robot: r\nmodel: r.xml\nbase: floating\nimu: {link: base}\ntorque_limit_Nm: 5\n"
        "contacts: {foot: {link: foot, corners_m: [[0, 0, -0.1]], friction: 0.6}}\n"
    )
    (tmp_path / "r.xml").write_text(
        '<mujoco><default><joint armature="0.1" damping="2" frictionloss="1"/></default><worldbody>'
        f'<body name="base"><joint name="root" type="free"/>{body}<body name="foot" pos="0 0 -0.5">'
        f'<joint name="j" range="-1 1"/>{body}</body></body></worldbody></mujoco>'
    )
    robot = RobotModel.load(tmp_path)
    world = build_world(robot, scenario(), seed=0)
    assert robot.armature_kgm2[0] == world.model.dof_armature[6] == 0.1
    for values in (world.model.dof_armature, world.model.dof_damping, world.model.dof_frictionloss):
        np.testing.assert_array_equal(values[:6], 0.0)


DEFAULTS = """<default>
  <general ctrlrange="-0.5 0.5" forcerange="-0.4 0.4" gear="3" ctrllimited="true" forcelimited="true"/>
  <motor ctrlrange="-0.5 0.5" forcerange="-0.4 0.4" gear="3" ctrllimited="true" forcelimited="true"/>
</default>
<worldbody>"""


def test_defaults_of_a_users_mjcf_for_its_actuators_do_not_change_the_torque(tmp_path):
    text = ARM_MJCF.replace("<worldbody>", DEFAULTS, 1)
    assert text != ARM_MJCF
    world = build_world(user_robot(tmp_path, "arm.xml", text), scenario(), seed=0)
    torque = np.array([3.0, -2.0])
    world.data.ctrl[:] = torque
    mujoco.mj_forward(world.model, world.data)
    np.testing.assert_allclose(world.data.qfrc_actuator[world.joint_dof], torque)
