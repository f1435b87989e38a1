"""MuJoCo and pinocchio mean the same robot, or the run is refused with the link that differs."""

import numpy as np
import pytest
from sim_runs import ROBOTS, robot, scenario

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.parity import ModelMismatchError, check_parity
from kilohertz.sim.world import build_world


@pytest.fixture
def world():
    return build_world(robot("g1"), scenario(), seed=0)


@pytest.mark.parametrize("name", ROBOTS)
def test_shipped_robots_are_the_same_in_both(name):
    check_parity(robot(name), build_world(robot(name), scenario(), seed=0))


def refusal(world):
    with pytest.raises(ModelMismatchError) as caught:
        check_parity(robot("g1"), world)
    return str(caught.value)


def test_a_heavier_link_is_named(world):
    world.model.body_mass[world.bodies["left_knee_link"]] *= 1.0 + 1e-6
    assert "link 'left_knee_link' differs most, in its mass" in refusal(world)


def test_a_shifted_centre_of_mass_is_named(world):
    world.model.body_ipos[world.bodies["right_elbow_link"], 1] += 1e-6
    assert "link 'right_elbow_link' differs most, in its centre of mass" in refusal(world)


def test_another_inertia_is_named(world):
    world.model.body_inertia[world.bodies["pelvis"]] *= 1.0 + 1e-6
    assert "link 'pelvis' differs most, in its inertia" in refusal(world)


def test_a_link_in_another_place_is_named(world):
    world.model.body_pos[world.bodies["left_rubber_hand"], 0] += 1e-6
    assert "link 'left_rubber_hand' has a different pose" in refusal(world)


def test_a_crooked_joint_is_named_by_the_link_that_it_moves(world):
    joint = world.model.joint("left_hip_roll_joint").id
    world.model.jnt_axis[joint] = [np.cos(1e-6), np.sin(1e-6), 0.0]
    assert "link 'left_hip_roll_link' has a different pose" in refusal(world)


def test_a_forgotten_armature_is_named(world):
    world.model.dof_armature[world.joint_dof[3]] = 0.0
    assert f"mass matrix differs most at '{robot('g1').joint_names[3]}'" in refusal(world)


def test_no_number_is_no_agreement(world):
    world.model.body_mass[world.bodies["pelvis"]] = np.nan
    with pytest.raises(ConfigError):
        check_parity(robot("g1"), world)


WHEELS = """<robot name="cart"><link name="base"/>{parts}</robot>"""
WHEEL = """<link name="{0}"><inertial><mass value="{1}"/><inertia ixx="{2}" iyy="{2}" izz="{2}" ixy="{3}"
ixz="0" iyz="0"/></inertial></link><joint name="{0}_joint" type="continuous"><parent link="base"/>
<child link="{0}"/><axis xyz="0.6 0 0.8"/><limit effort="1" velocity="5"/></joint>"""


@pytest.mark.parametrize(("mass", "moment", "product"), [(1.0, 1e-3, 0.0), (1e-4, 1e-9, 5e-13)])
def test_rounding_of_balanced_wheels_and_tiny_gears_is_no_difference(tmp_path, mass, moment, product):
    parts = "".join(WHEEL.format(name, mass, moment, product) for name in ("left", "right"))
    (tmp_path / "cart.urdf").write_text(WHEELS.format(parts=parts))
    (tmp_path / "robot.yaml").write_text("robot: cart\nmodel: cart.urdf\nbase: fixed\n")
    cart = RobotModel.load(tmp_path)
    check_parity(cart, build_world(cart, scenario(), seed=0))
