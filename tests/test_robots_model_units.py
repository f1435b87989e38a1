"""Values in a wrong unit are recognised by their size."""

from __future__ import annotations

import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.units import (
    DEGREE,
    acceleration_unit,
    beyond_limits_rad,
    in_degrees,
    lacks_gravity,
    time_unit,
)

ROBOT = RobotModel.load("g1")


@pytest.mark.parametrize(
    ("length", "found"),
    [(0.99, "g"), (1.02, "g"), (985.0, "mg"), (9.81, None), (9.4, None), (20.0, None), (0.1, None)],
)
def test_gravity_is_recognised_in_g_and_mg(length, found):
    unit = acceleration_unit(length)
    assert (unit[0] if unit else None) == found
    if unit is not None:
        assert unit[1] * length == pytest.approx(9.81, rel=0.05)


def test_a_specific_force_without_gravity_is_recognised():
    assert lacks_gravity(0.05)
    assert not lacks_gravity(9.3)


@pytest.mark.parametrize(
    ("period", "found"), [(1.0, "ms"), (1000.0, "us"), (1e6, "ns"), (1e-3, None), (1e12, None)]
)
def test_a_period_is_recognised_in_fractions_of_a_second(period, found):
    unit = time_unit(period, 3e-4, 3e-3)
    assert (unit[0] if unit else None) == found


def test_a_posture_in_degrees_is_recognised_and_one_in_radians_is_not():
    posture = ROBOT.q_nominal[7:]
    assert in_degrees(ROBOT, posture / DEGREE)
    assert not in_degrees(ROBOT, posture)
    # A joint that is a little outside its limits is no joint in degrees.
    low = ROBOT.position_lower_rad.copy()
    assert not in_degrees(ROBOT, low - 0.1)


def test_a_distance_from_the_limits_is_negative_inside():
    beyond = beyond_limits_rad(ROBOT, ROBOT.q_nominal[7:])
    assert (beyond < 0.0).all()
    assert beyond_limits_rad(ROBOT, ROBOT.position_upper_rad + 0.2).max() == pytest.approx(0.2)
