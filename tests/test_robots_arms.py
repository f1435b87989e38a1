"""The shipped arms: their models are complete, agree in both readers, and their postures are usable."""

from __future__ import annotations

import mujoco
import numpy as np
import pinocchio as pin
import pytest
from sim_runs import robot, scenario

import kilohertz as khz
from kilohertz.robots.model.description import shipped_robots
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.parity import check_parity
from kilohertz.sim.world import build_world

ARMS = [name for name in shipped_robots() if not RobotModel.load(name).floating]
# Total mass of the moving links [kg], from the makers' data or data sheets, where they are stated.
MASS_KG = {"fr3": 16.2, "ur3e": 8.8, "ur5e": 17.7, "ur10e": 29.1, "iiwa14": 22.85, "gen3": 6.5}
# Height of the first axis, and largest reach from it to the wrist or flange in the data sheets [m].
HOME = {"fr3": (0.333, "fr3_link2"), "iiwa14": (0.36, "link_2"), "ur5e": (0.1625, "upper_arm_link")}


def test_the_arms_are_those_of_the_list():
    expected = "fr3 fr3_duo gen3 iiwa14 panda so101 ur10e ur3e ur5 ur5e xarm7 z1"
    assert expected.split() == ARMS


@pytest.mark.parametrize("name", ARMS)
def test_both_readers_mean_the_same_arm_and_its_links_do_not_touch(name):
    world = build_world(robot(name), scenario(), seed=0)
    check_parity(robot(name), world)
    world.data.qpos[world.joint_qpos] = robot(name).q_nominal
    mujoco.mj_forward(world.model, world.data)
    assert world.data.ncon == 0


@pytest.mark.parametrize("name", ARMS)
def test_limits_and_armature_are_those_of_a_real_arm(name):
    model = robot(name)
    assert (model.torque_limit_Nm > 1.0).all()
    assert (model.torque_limit_Nm < 400.0).all()
    assert (model.velocity_limit_rad_s > 1.0).all()
    assert (model.velocity_limit_rad_s < 7.0).all()
    assert (model.armature_kgm2 > 0.0).all()
    assert model.description.licence
    if name in MASS_KG:
        assert model.mass_kg == pytest.approx(MASS_KG[name], rel=0.01)


@pytest.mark.parametrize("name", ARMS)
def test_the_nominal_posture_is_clear_of_stops_and_of_singularities_and_can_be_held(name):
    model = robot(name)
    room = np.minimum(model.q_nominal - model.position_lower_rad, model.position_upper_rad - model.q_nominal)
    assert (room > 0.25).all()
    data = model.pin_model.createData()
    pin.computeJointJacobians(model.pin_model, data, model.q_nominal)
    for hand in model.hands:
        J = pin.getFrameJacobian(model.pin_model, data, hand.frame_id, pin.LOCAL)
        # An arm of five joints cannot turn its hand in every direction.
        rows = J if model.na >= 6 else J[:3]
        assert np.linalg.svd(rows)[1][-1] > 0.08
    held = pin.computeGeneralizedGravity(model.pin_model, data, model.q_nominal)
    assert (np.abs(held) < 0.6 * model.torque_limit_Nm).all()


@pytest.mark.parametrize("name", HOME)
def test_the_shoulder_is_at_the_height_of_the_data_sheet(name):
    model, (height_m, link) = robot(name), HOME[name]
    assert model.nominal_point(model.pin_model.getBodyId(link))[2] == pytest.approx(height_m, abs=1e-9)


def circle(hand, radius_m, **other):
    commands = [
        {"at_s": 0, "stand": {}},
        {"at_s": 0.2, "circle": {"hand": hand, "radius_m": radius_m, "period_s": 3, "plane": "yz"}},
    ]
    return {"name": "circle", "duration_s": 4, "commands": commands, **other}


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.parametrize(
    ("name", "hand", "radius_m", "rms_m"),
    [("so101", "hand", 0.1, 6e-4), ("gen3", "hand", 0.1, 1e-3), ("fr3_duo", "right_hand", 0.1, 1.5e-3)],
)
def test_an_arm_draws_a_circle_of_20_cm(name, hand, radius_m, rms_m):
    run = khz.simulate(name, scenario=circle(hand, radius_m), solver="exact", seed=3)
    assert run.summary["exit_state"] == "active"
    assert run.summary["qp"]["solved"] == 4000
    assert run.summary["tracking"]["hand_rms_m"][hand] < rms_m
