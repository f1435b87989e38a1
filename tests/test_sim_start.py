"""Every run starts in static equilibrium."""

import re

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import SURFACE_FEET, robot, scenario, simulate

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.start import place, posture_on_plane
from kilohertz.sim.terrain import make_terrain
from kilohertz.sim.world import build_world


@pytest.mark.parametrize("name", ["g1", "talos", "panda", "ur5"])
def test_the_start_is_an_equilibrium(name):
    world = build_world(robot(name), scenario(), 0)
    place(robot(name), world)
    assert np.abs(world.data.qacc).max() < 0.05


@pytest.mark.parametrize("tilt_deg", [-2.0, 3.0])
def test_a_robot_whose_soles_are_not_level_starts_at_rest_with_flat_soles(tmp_path, tilt_deg):
    folder = tmp_path / "g1"
    folder.mkdir()
    text = (robot("g1").folder / "robot.yaml").read_text()
    for side in ("left", "right"):
        index = robot("g1").joint_names.index(f"{side}_ankle_pitch_joint")
        value = float(robot("g1").q_nominal[7 + index])
        text = re.sub(
            rf"({side}_ankle_pitch_joint: ){value:g}", rf"\g<1>{value + np.deg2rad(tilt_deg):g}", text
        )
    (folder / "robot.yaml").write_text(text)
    tilted = RobotModel.load(folder)
    world = build_world(tilted, scenario(), 0)
    place(tilted, world)
    assert np.abs(world.data.qacc).max() < 0.05
    normals = world.data.site_xmat[world.contact_sites].reshape(-1, 3, 3)[:, :, 2]
    np.testing.assert_allclose(normals[:, 2], 1.0, atol=1e-4)


@pytest.mark.parametrize("name", SURFACE_FEET)
def test_on_flat_ground_the_start_is_the_nominal_posture(name):
    sim = simulate(name)
    model = robot(name)
    np.testing.assert_allclose(sim.truth.q[:2], 0.0, atol=1e-12)
    np.testing.assert_array_equal(sim.truth.q[7:], model.q_nominal[7:])
    assert abs(sim.truth.q[2] - model.q_nominal[2]) < 2e-3
    np.testing.assert_allclose(sim.truth.q[3:], model.q_nominal[3:], atol=1e-3)


def test_a_heavier_robot_still_starts_at_rest():
    payload = {"link": "trunk", "mass_kg": 10.0, "p_LP_m": (0.1, 0.0, 0.1)}
    sim = simulate(
        "g1",
        seed=3,
        events=[{"at_s": 0.0, "payload": payload}],
        plant={"model_error": 0.1, "com_error_m": 0.01},
    )
    assert np.abs(sim.world.data.qacc).max() < 0.05


@pytest.mark.parametrize("name", SURFACE_FEET)
@pytest.mark.parametrize(("pitch_deg", "roll_deg"), [(8.0, 0.0), (-8.0, 0.0), (5.0, -5.0)])
def test_on_a_slope_the_soles_lie_flat_and_the_body_is_upright(name, pitch_deg, roll_deg):
    model = robot(name)
    terrain = make_terrain(
        scenario(ground={"kind": "slope", "pitch_deg": pitch_deg, "roll_deg": roll_deg}).ground
    )
    q = posture_on_plane(model, terrain.R_WG, terrain.plane_m)
    data = model.pin_model.createData()
    pin.framesForwardKinematics(model.pin_model, data, q)
    for contact in model.contacts:
        sole = data.oMf[contact.frame_id]
        # The regularisation towards the nominal posture leaves a little.
        np.testing.assert_allclose(sole.rotation[:, 2], terrain.normal_W, atol=5e-3)
        assert sole.translation[2] == pytest.approx(terrain.height_at(*sole.translation[:2]), abs=1e-3)
    assert pin.Quaternion(q[3:7]).matrix()[2, 2] > np.cos(0.01)
    assert (q[7:] >= model.position_lower_rad - 1e-12).all()
    assert (q[7:] <= model.position_upper_rad + 1e-12).all()
