"""The DCM plan is a motion of the pendulum, joins on from phase to phase, and repeats from step to step."""

import math

import numpy as np
import pytest
from gaits import GAIT, gait
from plain_python import plain

from kilohertz.controller.walking.dcm_plan import DcmPlan, Point, dcm_in_swing, leg_shift
from kilohertz.controller.walking.footsteps import next_foothold

STILL, FORWARD, ARC = (0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.3, 0.05, 0.3)
PERIOD_S = GAIT.step_s + GAIT.double_support_s
LEFT, RIGHT = (0.0, 0.09, 0.0), (0.0, -0.09, 0.0)
in_plain_python = plain(dcm_in_swing)


def on_left(way: Point, t_s: float, end: Point) -> Point:
    """The DCM as the right foot swings."""
    numbers = t_s, GAIT.step_s, end, GAIT.omega, GAIT.leg_shift_s2
    return in_plain_python(LEFT[:2], way, *numbers)  # type: ignore[no-any-return]


@pytest.mark.parametrize("velocity", [STILL, FORWARD, ARC])
def test_within_a_step_the_plan_moves_as_the_pendulum_does(velocity: tuple[float, float, float]) -> None:
    plan, omega = DcmPlan(GAIT), GAIT.omega
    target = next_foothold(LEFT, 1.0, velocity, PERIOD_S, GAIT.width_m)
    end = plan.at_touchdown(LEFT, target, -1.0, velocity)
    way = (target[0] - RIGHT[0], target[1] - RIGHT[1])
    for t in (0.05, 0.15, 0.25, 0.35):
        before, after = (on_left(way, t + d, end) for d in (-1e-5, 1e-5))
        now, k = on_left(way, t, end), leg_shift(GAIT.leg_shift_s2, GAIT.step_s)
        shift = [(k if t > 0.5 * GAIT.step_s else -k) * axis for axis in way]
        for axis in (0, 1):
            speed = (after[axis] - before[axis]) / 2e-5
            assert speed == pytest.approx(omega * (now[axis] - LEFT[axis] - shift[axis]), abs=1e-6)


def test_phases_join_without_a_jump() -> None:
    plan = DcmPlan(GAIT)
    target = next_foothold(LEFT, 1.0, FORWARD, PERIOD_S, GAIT.width_m)
    end = plan.at_touchdown(LEFT, target, -1.0, FORWARD)
    way = (target[0] - RIGHT[0], target[1] - RIGHT[1])
    start = on_left(way, 0.0, end)
    np.testing.assert_allclose(start, plan.after_landing(RIGHT, LEFT, target, end), atol=1e-12)
    assert on_left(way, GAIT.step_s, end) == end
    later = next_foothold(target, -1.0, FORWARD, PERIOD_S, GAIT.width_m)
    next_start = plan.after_landing(LEFT, target, later, plan.at_touchdown(target, later, 1.0, FORWARD))
    double_support = plan.in_transfer(LEFT[:2], target[:2], GAIT.double_support_s, next_start)
    # The earlier step ends its recursion one step sooner: that error has shrunk by exp(-omega T) four times.
    np.testing.assert_allclose(double_support, end, atol=0.1 * math.exp(-4.0 * GAIT.omega * PERIOD_S))


def test_on_the_spot_the_dcm_swings_between_the_feet() -> None:
    plan = DcmPlan(gait(leg_shift_s2=0.0))
    x, y = plan.at_touchdown(LEFT, RIGHT, -1.0, STILL)
    x2, y2 = plan.at_touchdown(RIGHT, LEFT, 1.0, STILL)
    assert x == x2 == 0.0
    assert y == pytest.approx(-y2)
    assert -0.09 < y < 0.0


@pytest.mark.parametrize("seed", range(5))
def test_later_footholds_move_the_dcm_by_a_fixed_part(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plan, d = DcmPlan(GAIT), rng.normal(size=2) * 0.1
    a = plan.at_touchdown(LEFT, RIGHT, -1.0, ARC)
    b = plan.at_touchdown(LEFT, (RIGHT[0] + d[0], RIGHT[1] + d[1], 0.0), -1.0, ARC)
    np.testing.assert_allclose(np.subtract(b, a), plan.follow * d, atol=1e-12)
    assert 0.5 < plan.follow < 1.0
