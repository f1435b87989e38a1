"""A gait follows from the robot's size."""

import pytest
from sim_runs import robot

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.walking.gait import gait_of


def test_left_and_right_are_where_the_soles_are() -> None:
    for name in ("g1", "talos", "alexander", "bolt"):
        model = robot(name)
        gait = gait_of(model, Gains())
        assert model.contact_names[gait.left] == "left_foot"
        assert model.contact_names[gait.right] == "right_foot"


def test_a_larger_robot_takes_longer_and_slower_steps() -> None:
    small, middle, large = (gait_of(robot(name), Gains()) for name in ("bolt", "g1", "talos"))
    assert small.step_s < middle.step_s < large.step_s
    assert small.longest_m < middle.longest_m < large.longest_m
    assert middle.step_s * middle.omega == pytest.approx(large.step_s * large.omega)


def test_point_feet_step_quicker_for_their_size() -> None:
    points, soles = (gait_of(robot(name), Gains()) for name in ("bolt", "g1"))
    assert points.half_length_m == 0.0 < soles.half_length_m
    assert points.step_s * points.omega < 0.8 * soles.step_s * soles.omega


def test_feet_side_by_side_do_not_touch() -> None:
    for name in ("g1", "talos", "alexander"):
        soles = max(c.corners_F[:, 1].max() - c.corners_F[:, 1].min() for c in robot(name).contacts)
        gait = gait_of(robot(name), Gains())
        assert soles < gait.least_width_m < gait.width_m < gait.widest_m


def test_values_in_the_gains_override_the_defaults() -> None:
    gains = Gains.model_validate({"walk": {"step_s": 0.5, "clearance_m": 0.08, "width_m": 0.2}})
    gait = gait_of(robot("g1"), gains)
    assert (gait.step_s, gait.clearance_m, gait.width_m) == (0.5, 0.08, 0.2)


def test_a_robot_without_two_feet_has_no_gait() -> None:
    with pytest.raises(ValueError, match="two feet"):
        gait_of(robot("panda"), Gains())
