"""A scenario with a size is scaled down to smaller robots, and left as it is for all others."""

from __future__ import annotations

import dataclasses

import pytest
from one_joint import one_joint

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scaling import scaled_to, size_m
from kilohertz.sim.scenario import default_scenario_name, load_scenario, load_scenario_located

WRITTEN = {
    "name": "written",
    "duration_s": 10,
    "sized_for": {"mass_kg": 66.682284, "size_m": 1.0},
    "commands": [
        {"at_s": 1, "squat": {"depth_m": 0.1, "period_s": 2}},
        {"at_s": 5, "walk": {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.1}},
    ],
    "events": [{"at_s": 2, "push": {"link": "trunk", "impulse_Ns": [4, 0, -2], "duration_s": 0.1}}],
}


def test_lengths_speeds_and_impulses_scale_with_the_robot() -> None:
    robot = RobotModel.load("g1")
    scenario, _ = load_scenario_located(WRITTEN, robot, behaviour_schemas(robot))
    length = size_m(robot)
    assert length == pytest.approx(0.665, abs=0.005)
    _, squat, walk = scenario.commands
    assert squat.params == {"depth_m": pytest.approx(0.1 * length), "period_s": 2}
    assert walk.params["velocity_m_s"][0] == pytest.approx(0.3 * length**0.5)
    assert walk.params["yaw_rate_rad_s"] == 0.1
    push = scenario.events[0].push
    assert push is not None
    assert push.impulse_Ns == pytest.approx([2 * length**0.5, 0, -(length**0.5)], rel=1e-6)
    assert push.duration_s == 0.1
    assert scaled_to(scenario, robot) is scenario


@pytest.mark.parametrize("name", ["g1", "talos", "alexander", "panda", "ur5"])
def test_the_default_scenario_of_a_shipped_robot_is_as_written(name: str) -> None:
    robot = RobotModel.load(name)
    scenario = load_scenario(default_scenario_name(robot), robot)
    assert scaled_to(scenario, robot) is scenario
    assert scenario.sized_for is not None


def test_a_small_arm_makes_small_motions() -> None:
    robot = RobotModel.load("panda")
    assert size_m(robot) > 0.75
    assert size_m(dataclasses.replace(robot, hands=())) == 0.0


def test_a_hand_on_its_joint_is_refused_for_a_motion_that_cannot_be_scaled(tmp_path) -> None:
    """The hand of an arm whose last link begins at its joint does not move, if no place of it is given."""
    robot = one_joint(tmp_path)
    with pytest.raises(ConfigError, match=r"hands of 'one' are 0 m from its joints: set their p_LH_m"):
        load_scenario("default-arm", robot, behaviour_schemas(robot))
