"""Robots touch the ground with their soles, and themselves only where they have room not to."""

import mujoco
import numpy as np
import pytest
from sim_runs import ROBOTS, robot, scenario, simulate

from kilohertz.sim.collision import SOLE_RADIUS_M, sole_geom_name
from kilohertz.sim.terrain import ROBOT_BIT
from kilohertz.sim.world import build_world

FLOATING = tuple(name for name in ROBOTS if robot(name).floating)


@pytest.mark.parametrize("name", FLOATING)
def test_the_lowest_points_of_a_sole_are_its_corners(name):
    model, sim = robot(name), simulate(name)
    data = sim.world.data
    for index, contact in enumerate(model.contacts):
        R_WF = data.site(f"contact/{contact.name}").xmat.reshape(3, 3)
        corners_W = sim.truth.p_WF[index] + contact.corners_F @ R_WF.T
        bottoms = [
            data.geom(sole_geom_name(contact.name, k)).xpos - [0, 0, SOLE_RADIUS_M]
            for k in range(len(contact.corners_F))
        ]
        np.testing.assert_allclose(bottoms, corners_W, atol=1e-5)


@pytest.mark.parametrize("name", FLOATING)
def test_a_standing_robot_touches_the_ground_with_its_soles_alone(name):
    sim = simulate(name)
    touching = {sim.world.model.geom(int(g)).name for pair in sim.world.data.contact.geom for g in pair}
    soles = {
        sole_geom_name(contact.name, k)
        for contact in robot(name).contacts
        for k in range(len(contact.corners_F))
    }
    assert touching == soles | {"ground"}


@pytest.mark.parametrize("name", ROBOTS)
def test_no_robot_touches_itself_at_its_nominal_posture(name):
    sim = simulate(name)
    model, data = sim.world.model, sim.world.data
    own = [pair for pair in data.contact.geom if (model.geom_contype[pair] & ROBOT_BIT).all()]
    assert own == []


@pytest.mark.parametrize("name", ROBOTS)
def test_small_motions_around_the_nominal_posture_stay_free(name):
    model, world = robot(name), build_world(robot(name), scenario(), 0)
    data = world.data
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(50):
        mujoco.mj_resetData(world.model, data)
        data.qpos[world.joint_qpos] = model.q_nominal[model.nq_base :] + rng.uniform(-0.02, 0.02, model.na)
        if model.floating:
            data.qpos[2] = 5.0
        mujoco.mj_forward(world.model, data)
        hits += sum((world.model.geom_contype[pair] & ROBOT_BIT).all() for pair in data.contact.geom)
    assert hits == 0


@pytest.mark.parametrize(("name", "links"), [("g1", ("left_knee_link", "right_knee_link"))])
def test_legs_collide_with_each_other(name, links):
    world = build_world(robot(name), scenario(), 0)
    first, second = (world.bodies[link] for link in links)
    excluded = {(int(s) >> 16, int(s) & 0xFFFF) for s in world.model.exclude_signature}
    assert (first, second) not in excluded
    assert (second, first) not in excluded
    assert any(
        world.model.geom_contype[g] & ROBOT_BIT
        for g in range(world.model.ngeom)
        if world.model.geom_bodyid[g] == first
    )
