"""What the legs cannot do is refused before it is tried, and it is said which footstep and why."""

import numpy as np
import pytest
from sim_runs import robot

from kilohertz.controller.walking.footstep_check import FootstepError, check_footsteps
from kilohertz.controller.walking.route import MOST_FOOTSTEPS

LEFT, RIGHT = 0, 1


def test_a_walk_a_turn_and_stairs_pass() -> None:
    walk = [[i % 2, 0.25 * (i + 1), 0.09 - 0.18 * (i % 2), 0.0, 0.0] for i in range(8)]
    stairs = [[i % 2, 0.28 * (i + 1), 0.09 - 0.18 * (i % 2), 0.1 * (i + 1), 0.0] for i in range(5)]
    stairs += [[i % 2, 0.28 * (i + 1), 0.09 - 0.18 * (i % 2), 1.0 - 0.1 * (i + 1), 0.0] for i in range(5, 10)]
    turn = [[LEFT, 0.0, 0.1, 0.0, 0.3], [RIGHT, 0.03, -0.09, 0.0, 0.3]]
    for footsteps in (walk, stairs, turn):
        check_footsteps(robot("g1"), np.array(footsteps))


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            [LEFT, 0.9, 0.09, 0.0, 0.0],
            "left_foot is out of reach: 0.70 m ahead of the other foot; at most 0.40 m",
        ),
        ([LEFT, -0.2, 0.09, 0.0, 0.0], "out of reach: 0.40 m behind"),
        ([LEFT, 0.2, 0.5, 0.0, 0.0], "out of reach: 0.59 m beside"),
        ([LEFT, 0.3, 0.09, 0.2, 0.0], "out of reach: 0.20 m above"),
        ([LEFT, 0.3, 0.09, -0.2, 0.0], "out of reach: 0.20 m below"),
        ([LEFT, 0.3, 0.09, 0.0, 0.9], "out of reach: 0.90 rad turned from"),
        ([LEFT, 0.55, 0.09, 0.1, 0.0], "out of reach: 0.35 m ahead of the other foot; at most 0.30 m"),
        (
            [LEFT, 0.3, -0.2, 0.0, 0.0],
            "crosses over the other foot, -0.11 m beside it; keep it at least 0.09 m",
        ),
        ([LEFT, 0.3, -0.05, 0.0, 0.0], "comes too close to the other foot"),
        ([RIGHT, 0.3, -0.09, 0.0, 0.0], "right_foot again; feet take turns"),
        ([LEFT, float("nan"), 0.09, 0.0, 0.0], "out of reach"),
    ],
)
def test_what_cannot_be_reached_is_refused(bad: list[float], sentence: str) -> None:
    footsteps = np.array([[RIGHT, 0.2, -0.09, 0.0, 0.0], bad])
    with pytest.raises(FootstepError, match=sentence) as refusal:
        check_footsteps(robot("g1"), footsteps)
    assert refusal.value.index == 1


def test_too_many_and_arms_are_refused() -> None:
    with pytest.raises(ValueError, match="split them up"):
        check_footsteps(robot("g1"), np.zeros((MOST_FOOTSTEPS + 1, 5)))
    with pytest.raises(ValueError, match="walking takes two feet"):
        check_footsteps(robot("ur5"), np.zeros((1, 5)))
