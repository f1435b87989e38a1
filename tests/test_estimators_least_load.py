"""The smallest load that counts is a part of the mass, or what joint friction can hide on a small robot."""

from __future__ import annotations

import dataclasses

import pytest

from kilohertz.estimators.least_load import least_loads_kg
from kilohertz.robots.model.robot_model import RobotModel


@pytest.mark.parametrize("name", ["g1", "talos", "alexander"])
def test_of_a_robot_of_human_size_it_is_a_part_of_the_mass(name: str) -> None:
    robot = RobotModel.load(name)
    assert least_loads_kg(robot) == pytest.approx([0.01 * robot.mass_kg, 0.02 * robot.mass_kg])


def test_of_a_light_robot_it_is_what_friction_hides() -> None:
    robot = RobotModel.load("g1")
    whole_kg = least_loads_kg(dataclasses.replace(robot, mass_kg=3.0))[1]
    assert 0.3 < whole_kg < 0.02 * robot.mass_kg
    # Friction is at most a part of the torque limit: weak joints hide less.
    weak = dataclasses.replace(robot, mass_kg=3.0, torque_limit_Nm=0.02 * robot.torque_limit_Nm)
    assert least_loads_kg(weak)[1] < 0.7 * whole_kg
