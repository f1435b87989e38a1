"""Obstacles near an arm: they hold the hand, their force is known, and nothing changes without them."""

import numpy as np
import pytest
from sim_runs import robot, run, simulate

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot


def contacts(sim):
    """Pairs of the names of geometries that touch."""
    model = sim.world.model
    return [tuple(model.geom(int(geom)).name for geom in contact.geom) for contact in sim.world.data.contact]


def test_an_arm_whose_drives_damp_lies_on_a_table_that_carries_it():
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    tilt = 0.1
    normal = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    middle = p - 0.13 * normal
    table = {"kind": "box", "p_WO_m": middle.tolist(), "rpy_WO_rad": [tilt, 0, 0], "size_m": [0.3, 0.6, 0.2]}
    sim = simulate("panda", obstacles={"table": table}, tips={"hand": {"radius_m": 0.02}})
    sim.drives.damp()
    run(sim, 0.3)
    force = sim.truth.f_WH[0]
    assert force[2] > 5.0
    assert sim.truth.p_WH[0] @ normal > p @ normal - 0.02
    assert force @ normal > 0.8 * np.linalg.norm(force)


def test_without_obstacles_the_world_has_no_sensor_more():
    plain = simulate("panda")
    box = {"kind": "box", "p_WO_m": [5, 0, 0], "size_m": [1, 1, 1]}
    beside = simulate("panda", obstacles={"box": box})
    assert set(beside.world.sensor) - set(plain.world.sensor) == {"touch/hand"}
    for sim in (plain, beside):
        run(sim, 0.2)
    np.testing.assert_array_equal(plain.truth.q, beside.truth.q)
    np.testing.assert_array_equal(beside.truth.f_WH, 0.0)


@pytest.mark.parametrize("kind", ["box", "plane"])
def test_an_obstacle_is_where_the_scenario_says(kind):
    shape = {"size_m": [0.2, 0.4, 0.6]} if kind == "box" else {}
    sim = simulate(
        "ur5", obstacles={"it": {"kind": kind, "p_WO_m": [3, 1, 0.5], "rpy_WO_rad": [0, 0, 0.5], **shape}}
    )
    geom = sim.world.model.geom("obstacle/it")
    np.testing.assert_allclose(geom.pos, [3, 1, 0.5])
    if kind == "box":
        np.testing.assert_allclose(geom.size, [0.1, 0.2, 0.3])


def test_an_obstacle_may_be_placed_from_a_hand():
    box = {"kind": "box", "from_hand": "hand", "p_WO_m": [0, 0.1, -0.2], "size_m": [0.1, 0.1, 0.1]}
    arm = robot("ur5")
    place = arm.nominal_point(arm.hands[0].frame_id) + np.array([0, 0.1, -0.2])
    np.testing.assert_allclose(
        simulate("ur5", obstacles={"it": box}).world.model.geom("obstacle/it").pos, place
    )


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_in_the_scenario_wipe_no_arm_touches_the_table_at_the_start(name):
    sim = SimulatedRobot(robot(name), load_scenario("wipe", robot(name), behaviour_schemas(robot(name))), 0)
    sim.advance()
    assert not any("obstacle/table" in pair for pair in contacts(sim))


def test_the_ground_under_an_arm_with_tips_hardens_as_gradually_as_an_obstacle():
    far = {"far": {"kind": "box", "p_WO_m": [3, 3, 0.1], "size_m": [0.2, 0.2, 0.2]}}
    model = simulate("ur5", obstacles=far, tips={"hand": {"radius_m": 0.02}}).world.model
    np.testing.assert_array_equal(model.geom("ground").solimp, model.geom("obstacle/far").solimp)
    hard = simulate("ur5", obstacles=far).world.model.geom("ground").solimp
    assert hard[0] > model.geom("ground").solimp[0]


def test_an_obstacle_from_a_hand_that_the_arm_does_not_have_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: x\nduration_s: 10\nobstacles:\n"
        "  it: {kind: plane, from_hand: hnad, p_WO_m: [0, 0, -1]}\n"
        "commands:\n  - {at_s: 0, stand: {}}\n"
    )
    with pytest.raises(ConfigError, match=r"obstacles\.it\.from_hand.*'hnad' is not a hand of ur5"):
        load_scenario(str(path), robot("ur5"), behaviour_schemas(robot("ur5")))
