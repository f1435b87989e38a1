"""A robot on a gantry hangs limp and still at the start; its tether pulls, never pushes, and gets slack."""

import numpy as np
import pytest
from sim_runs import robot, run, simulate

from kilohertz.robots.model.gravity import GRAVITY_M_S2

PLAN = {"lower_at_s": 0.2, "lower_m_s": 0.2, "height_m": 0.03, "slack_m": 0.05}


@pytest.fixture(scope="module")
def hanging():
    return simulate("g1", gantry={"lower_at_s": 5.0})


def test_the_robot_hangs_limp_and_still(hanging):
    weight_N = hanging.truth.mass_kg * GRAVITY_M_S2
    assert hanging.gantry.force_N == pytest.approx(weight_N, rel=1e-2)
    assert not hanging.truth.v.any()
    assert not hanging.truth.normal_force_N.any()
    # Its limbs hang straight down: the knees are not bent as in the nominal posture.
    knee = robot("g1").nq_base + robot("g1").joint_names.index("left_knee_joint")
    assert hanging.truth.q[knee] < 0.35
    corners = [c.corners_F for c in robot("g1").contacts]
    world = hanging.world
    sites = zip(world.contact_sites, corners, strict=True)
    lowest = min(
        (world.data.site_xpos[s] + c @ world.data.site_xmat[s].reshape(3, 3).T)[:, 2].min() for s, c in sites
    )
    assert lowest == pytest.approx(0.1, abs=1e-9)


def test_it_stays_there_without_torque(hanging):
    before = hanging.truth.q.copy()
    run(hanging, 0.3)
    assert np.abs(hanging.truth.q - before).max() < 5e-3
    assert np.abs(hanging.truth.tau).max() < 1.5
    assert not hanging.fell
    assert hanging.events == []


def test_the_tether_gives_the_load_to_the_soles_and_never_pushes():
    sim = simulate("g1", gantry=PLAN)
    weight_N = sim.truth.mass_kg * GRAVITY_M_S2
    forces, loads = [], []
    for _ in range(700):
        sim.advance()
        forces.append(sim.gantry.force_N)
        loads.append(float(sim.truth.normal_force_N.sum()))
    assert sim.events[0]["text"] == "the winch lowers the robot by 0.2 m/s"
    assert min(forces) >= 0.0
    assert min(forces) < 0.3 * weight_N
    assert max(loads) > 0.7 * weight_N


def test_the_same_seed_gives_the_same_start():
    starts = [simulate("g1", seed, gantry=PLAN, plant={"model_error": 0.05}).truth.q for seed in (3, 3, 4)]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert np.abs(starts[0] - starts[2]).max() > 1e-4
