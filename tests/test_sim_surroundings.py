"""Obstacles near an arm: they hold the hand, their force is known, and nothing changes without them."""

import numpy as np
import pytest
from sim_runs import robot, run, simulate


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
