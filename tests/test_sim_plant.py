"""The plant differs from the model by as much as it is told, and the same for the same seed."""

import numpy as np
import pytest
from sim_runs import ROBOTS, robot, scenario

from kilohertz.sim.plant import joint_damping_Nms, joint_friction_Nm
from kilohertz.sim.scenario_schema import DefaultPlant, Plant
from kilohertz.sim.world import build_world


def test_default_friction_of_a_human_sized_robot_is_what_contracts_say():
    np.testing.assert_array_equal(joint_friction_Nm(robot("g1"), DefaultPlant()), 0.2)
    np.testing.assert_allclose(joint_damping_Nms(robot("g1"), DefaultPlant()), 0.05)


@pytest.mark.parametrize("name", ROBOTS)
def test_default_friction_leaves_every_joint_nearly_all_of_its_torque(name):
    model = robot(name)
    assert (joint_friction_Nm(model, DefaultPlant()) <= 0.04 * model.torque_limit_Nm + 1e-12).all()
    assert (joint_friction_Nm(model, DefaultPlant()) > 0.0).all()


def test_an_explicit_plant_is_taken_at_its_word():
    plant = Plant(joint_friction_Nm=3.0, joint_damping_Nms=1.0)
    world = build_world(robot("bolt"), scenario(plant=plant), seed=0)
    np.testing.assert_array_equal(world.model.dof_frictionloss[world.joint_dof], 3.0)
    np.testing.assert_array_equal(world.model.dof_damping[world.joint_dof], 1.0)


def test_an_exact_plant_has_no_friction_whatever_the_model_file_says():
    for name in ("talos", "panda"):  # their files do
        world = build_world(robot(name), scenario(plant="exact"), seed=0)
        assert not world.model.dof_frictionloss.any()
        assert not world.model.dof_damping.any()


def relative_errors(seed, **plant):
    model = robot("g1")
    exact = build_world(model, scenario(), 0).model
    wrong = build_world(model, scenario(plant=plant), seed).model
    heavy = exact.body_mass > 0.0
    return (
        wrong.body_mass[heavy] / exact.body_mass[heavy] - 1.0,
        (wrong.body_inertia[heavy] / exact.body_inertia[heavy] - 1.0)[:, 0],
        (wrong.body_ipos - exact.body_ipos)[heavy],
    )


def test_model_errors_fill_their_range_and_stay_within_it():
    mass, inertia, com = relative_errors(1, model_error=0.1, com_error_m=0.01)
    for error, bound in ((mass, 0.1), (inertia, 0.1), (com, 0.01)):
        assert 0.8 * bound < np.abs(error).max() <= bound + 1e-12
        assert np.abs(error.mean()) < 0.4 * bound
    assert np.abs(mass - inertia).max() > 0.01  # mass and inertia err apart from each other


def test_model_errors_depend_on_the_seed_alone():
    first, again, other = (relative_errors(seed, model_error=0.1)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_a_tenth_of_the_error_is_a_tenth_of_each_draw():
    large, small = relative_errors(1, model_error=0.1)[0], relative_errors(1, model_error=0.01)[0]
    np.testing.assert_allclose(large, 10.0 * small, atol=1e-12)
