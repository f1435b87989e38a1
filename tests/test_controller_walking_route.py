"""A route leads along its footsteps, in the world, and ends on the spot."""

import math

import numpy as np
import pytest

from kilohertz.controller.walking.route import Route

FEET = [(1.0, 2.1, 0.0), (1.0, 1.9, 0.0)]
STEPS = np.array([[1, 0.2, -0.1, 0.1, 0.0], [0, 0.4, 0.1, 0.3, 0.0], [1, 0.4, -0.1, 0.3, 0.0]])


def route(middle: tuple[float, float, float] = (1.0, 2.0, 0.0)) -> Route:
    made = Route()
    made.begin(STEPS, middle, FEET)
    return made


def test_footsteps_are_from_where_the_robot_stands() -> None:
    made = route((1.0, 2.0, math.pi / 2))
    assert made.first == 1
    assert made.foothold() == pytest.approx((1.1, 2.2, math.pi / 2))
    assert made.foothold(1) == pytest.approx((0.9, 2.4, math.pi / 2))


def test_heights_are_relative_to_the_previous_foot() -> None:
    made = route()
    rises = []
    for index in range(6):
        made.index = index
        rises.append(made.rise_m())
    assert rises == pytest.approx([0.1, 0.2, 0.0, 0.0, 0.0, 0.0])


def test_after_the_last_step_the_feet_stay_where_they_are() -> None:
    made = route()
    assert not made.last
    made.index = 2
    assert made.last
    made.index = 3
    assert made.foothold() == pytest.approx((1.4, 2.1, 0.0))
    made.index = 4
    assert made.foothold() == pytest.approx((1.4, 1.9, 0.0))


def test_the_plan_contains_the_remaining_steps() -> None:
    made, feet = route(), [(0.0, 0.0, 0.0)] * 6
    assert made.lay_out(FEET[0], feet) == 4
    assert feet[:4] == [FEET[0], *(made.foothold(i) for i in range(3))]
    made.index = 2
    assert made.lay_out(FEET[0], feet) == 2
    short = [(0.0, 0.0, 0.0)] * 2
    made.index = 0
    assert made.lay_out(FEET[0], short) == 2
