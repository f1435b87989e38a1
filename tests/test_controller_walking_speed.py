"""Speeds that nobody can walk are refused with the fastest that can be."""

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.controller.walking.speed import check_speed, walks


def test_two_feet_walk_and_arms_do_not() -> None:
    assert walks(robot("g1"))
    assert walks(robot("bolt"))
    assert not walks(robot("panda"))
    with pytest.raises(ValueError, match="two feet"):
        check_speed(robot("panda"), np.zeros(3))


@pytest.mark.parametrize("velocity", [(0.8, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.25, 0.0), (0.4, 0.0, 1.0)])
def test_a_speed_that_a_g1_can_walk_is_accepted(velocity: tuple[float, float, float]) -> None:
    check_speed(robot("g1"), np.array(velocity))


@pytest.mark.parametrize(
    ("velocity", "way"),
    [((2.0, 0.0, 0.0), "forward"), ((-1.0, 0.0, 0.0), "backward"), ((0.0, -1.0, 0.0), "sideways"),
     ((0.0, 0.0, 4.0), "as a turn"), ((float("nan"), 0.0, 0.0), "forward")],
)  # fmt: skip
def test_an_impossible_speed_is_refused(velocity: tuple[float, float, float], way: str) -> None:
    with pytest.raises(ValueError, match=f"{way} is faster than 'g1' can walk; ask for at most"):
        check_speed(robot("g1"), np.array(velocity))
