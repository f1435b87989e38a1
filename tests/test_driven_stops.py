"""A robot that is driven by keys walks as far as it should, and stands soon after the operator is gone."""

from __future__ import annotations

import numpy as np
import pytest
from driven_robot import DrivenRobot, Held
from driven_stops import KILLED_S, RELEASED_S, stop

pytestmark = pytest.mark.closed_loop


@pytest.mark.long
def test_the_robot_walks_as_far_as_it_was_driven_and_stands_after_the_release() -> None:
    robot = DrivenRobot([Held("w", 0.5, 5.5)], 8.0, seed=1)
    assert not robot.run().summary["fell"]
    begin, end = np.searchsorted(robot.t_s, [0.5, 5.5])
    assert robot.p_WC[end, 0] - robot.p_WC[begin, 0] >= 1.4
    assert robot.stands_s(5.5) <= RELEASED_S


@pytest.mark.long
@pytest.mark.parametrize("number", [5, 6])
def test_the_robot_stands_after_a_release_and_after_its_operator_was_killed(number: int) -> None:
    # `driven_stops.py` runs a hundred of these.
    each = stop(number)
    assert not each.fell
    assert each.killed == (number == 5)
    assert each.stands_s <= (KILLED_S if each.killed else RELEASED_S)
    if each.killed:
        assert each.silent_s <= 0.4
