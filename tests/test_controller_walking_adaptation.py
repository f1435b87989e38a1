"""Steps adapt to the DCM, inside reach and on their own side, and hold still before touch-down."""

import math

import numpy as np
import pytest
from gaits import GAIT
from plain_python import plain

from kilohertz.controller.walking import adaptation as kernels
from kilohertz.controller.walking.adaptation import END_X, PLANNED_X, Adaptation
from kilohertz.controller.walking.dcm_plan import DcmPlan, Point, dcm_in_swing
from kilohertz.controller.walking.footsteps import Foothold
from kilohertz.controller.walking.gait import gait_row

STANCE: Foothold = (0.0, 0.09, 0.0)
PLANNED: Foothold = (0.0, -0.09, 0.0)
STILL = (0.0, 0.0, 0.0)
DT = 1e-3
ROW = gait_row(GAIT)
advance, within_reach, in_swing = plain(kernels.adapt), plain(kernels.within_reach), plain(dcm_in_swing)


def local(stance: Foothold, x: float, y: float) -> tuple[float, float]:
    c, s = math.cos(stance[2]), math.sin(stance[2])
    dx, dy = x - stance[0], y - stance[1]
    return c * dx + s * dy, c * dy - s * dx


@pytest.mark.parametrize("seed", range(30))
def test_no_foothold_is_out_of_reach_or_across(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side = float(rng.choice([-1.0, 1.0]))
    stance = (*rng.normal(size=2), rng.uniform(-3, 3))
    want = np.array(stance[:2]) + rng.normal(size=2)
    x, y, out = within_reach(stance, side, want, ROW)
    ahead, left = local(stance, x, y)
    assert abs(ahead) <= GAIT.longest_m + 1e-12
    assert GAIT.least_width_m - 1e-12 <= -side * left <= GAIT.widest_m + 1e-12
    assert out == pytest.approx(math.hypot(want[0] - x, want[1] - y))


def adapt(
    error: tuple[float, float], t_from: float = 0.05, ticks: int = 60, foot: Point = PLANNED[:2]
) -> Adaptation:
    """A step that starts on plan and then sees a DCM error of this size, as it grows."""
    plan = DcmPlan(GAIT)
    adaptation = Adaptation(GAIT)
    adaptation.begin(STANCE, 1.0, PLANNED[:2], PLANNED)
    end = plan.at_touchdown(STANCE, PLANNED, -1.0, STILL)
    adaptation.step[PLANNED_X:END_X], adaptation.step[END_X:] = PLANNED, end
    for i in range(ticks):
        t = t_from + i * DT
        if t > adaptation.duration_s:
            break
        ref = in_swing(STANCE[:2], (0.0, 0.0), t, adaptation.duration_s, end, plan.omega, GAIT.leg_shift_s2)
        growth = math.exp(GAIT.omega * i * DT)
        xi = (ref[0] + growth * error[0], ref[1] + growth * error[1])
        advance(xi, foot, t, DT, plan.omega, adaptation.arrays)
        ahead, left = local(STANCE, *adaptation.target[:2])
        assert abs(ahead) <= GAIT.longest_m + 1e-9
        assert GAIT.least_width_m - 1e-9 <= -left <= GAIT.widest_m + 1e-9
        assert GAIT.shortest_step_s - 1e-9 <= adaptation.duration_s <= GAIT.longest_step_s + 1e-9
    return adaptation


def test_on_plan_nothing_changes() -> None:
    adaptation = adapt((0.0, 0.0))
    assert adaptation.target == pytest.approx(PLANNED, abs=1e-9)
    assert adaptation.duration_s == GAIT.step_s


def test_a_deviation_that_the_sole_can_correct_moves_no_foothold() -> None:
    assert adapt((0.01, 0.0)).target == pytest.approx(PLANNED, abs=1e-9)


def test_the_foot_follows_a_push() -> None:
    assert adapt((0.08, 0.0)).target[0] > 0.1
    assert adapt((-0.08, 0.0)).target[0] < -0.1
    assert adapt((0.0, -0.05)).target[1] < PLANNED[1] - 0.05


def test_a_push_towards_the_stance_foot_makes_the_step_short() -> None:
    adaptation = adapt((0.0, 0.06))
    assert adaptation.duration_s < 0.85 * GAIT.step_s
    assert adaptation.target[1] == pytest.approx(STANCE[1] - GAIT.least_width_m, abs=1e-6)


def test_no_step_is_shorter_than_the_foot_takes_to_get_there() -> None:
    near, far = adapt((0.0, 0.12)), adapt((0.0, 0.12), foot=(-0.35, 0.0))
    assert near.duration_s == pytest.approx(GAIT.shortest_step_s, abs=0.02)
    # From rest to rest over 0.35 m in 0.16 s takes 79 m/s2.
    assert far.duration_s > 0.05 + 0.16


def test_the_target_holds_still_before_touch_down() -> None:
    adaptation = adapt((0.1, 0.0), t_from=GAIT.step_s - 0.049, ticks=40)
    assert adaptation.target == PLANNED
