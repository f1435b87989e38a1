"""Thirty random goals: each is reached or refused before the arm moves, and none through the arm's body."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import ARMS, robot
from reach_goals import execute, goals, plan_all


@pytest.mark.long
@pytest.mark.parametrize("name", ARMS)
def test_goals_that_are_possible_are_reached_and_no_way_leads_through_the_body(name: str) -> None:
    planned = plan_all(name, 10, seed=11)
    assert planned.reached + planned.refused == 10
    assert planned.colliding == 0
    assert planned.possible >= 4
    assert planned.possible_reached >= planned.possible - 1
    # The speed that the envelope of the robot's side lets through is 92 % of the limit.
    assert np.median(planned.over_usable) < 0.09


@pytest.mark.parametrize("name", ARMS)
def test_motions_are_within_the_limits_of_the_maker_and_do_not_overshoot(name: str) -> None:
    done = execute(name, goals(name, 3, seed=12))
    assert done.overshoot_m
    assert max(done.overshoot_m) < 1e-4
    assert max(done.end_m) < 2e-4
    for largest in (done.speed, done.jerk, done.torque):
        assert max(largest) <= 1.0
    assert max(done.accel) <= 1.02
    assert done.contacts == 0
    assert done.remarks == {""}


def test_goals_are_the_same_for_the_same_seed() -> None:
    assert goals("ur5", 5, 1) == goals("ur5", 5, 1)
    assert len(robot("ur5").hands) == 1
