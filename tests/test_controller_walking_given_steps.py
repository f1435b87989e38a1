"""Given steps go where they are given, and the centre of mass from foot to foot as high as they are."""

from types import SimpleNamespace

import numpy as np
import pytest
from gaits import GAIT

from kilohertz.controller.walking.dcm_plan import DcmPlan
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, READY, SWING, GaitState
from kilohertz.controller.walking.given_steps import GivenSteps

LEFT, RIGHT = 0, 1


def on_stairs(rise_m: float) -> tuple[GivenSteps, GaitState, np.ndarray]:
    """The left foot stands on the first stair, the right one is to come to the second."""
    p_WC, gait_state = np.array([0.0, 0.0, 0.7]), GaitState(left=LEFT)
    steps = GivenSteps(SimpleNamespace(gait=GAIT, plan=DcmPlan(GAIT)), p_WC)
    gait_state.feet[:] = [(0.0, 0.09, 0.0), (0.0, -0.09, 0.0)]
    xz = [(0.28, rise_m), (0.56, 2 * rise_m), (0.84, 3 * rise_m)]
    rows = [[i % 2, x, 0.09 - 0.18 * (i % 2), z, 0.0] for i, (x, z) in enumerate(xz)]
    steps.begin(np.array(rows), gait_state)
    gait_state.feet[LEFT], gait_state.soles_z[LEFT] = (0.28, 0.09, 0.0), rise_m
    steps.landed()
    gait_state.begin(SWING, LEFT)
    return steps, gait_state, p_WC


def test_steps_come_one_after_the_other_and_end() -> None:
    steps, gait_state, _ = on_stairs(0.1)
    assert steps.foothold(gait_state, last=False) == pytest.approx((0.56, -0.09, 0.0))
    assert steps.landing(gait_state) == pytest.approx((0.2, 0.0, 0.0))
    assert not steps.is_last(stop=True)
    steps.landed()
    assert steps.is_last(stop=False)
    assert steps.first_stance() == RIGHT


@pytest.mark.parametrize("rise_m", [0.1, -0.1])
@pytest.mark.parametrize("phase", [SWING, DOUBLE_SUPPORT])
def test_the_line_between_footsteps_is_continuous_and_as_steep_as_it_says(rise_m: float, phase: int) -> None:
    steps, gait_state, p_WC = on_stairs(rise_m)
    gait_state.begin(phase, LEFT)

    def at(x: float) -> tuple[float, float]:
        p_WC[0] = x
        px, py, z, slope, across = steps.under(gait_state)
        assert (px, py, across) == (x, p_WC[1], 0.0)
        return z, slope

    for x in np.linspace(0.011, 0.55, 40):
        (before, _), (_, slope), (after, _) = at(x - 1e-6), at(x), at(x + 1e-6)
        assert slope == pytest.approx((after - before) / 2e-6, abs=1e-6)
    for foot, z in ((0.0, 0.0), (0.28, rise_m), (0.56, 2 * rise_m)):
        assert at(foot + 1e-9)[0] == pytest.approx(z, abs=1e-6)
        assert at(foot - 1e-9)[0] == pytest.approx(z, abs=1e-6)
    assert at(-0.2) == pytest.approx((0.0, 0.0))
    assert at(0.9) == pytest.approx((2 * rise_m, 0.0))
    if rise_m < 0.0:
        # Down it starts level, up it is straight.
        assert abs(at(0.281)[1]) < 0.01
    else:
        assert at(0.281)[1] == pytest.approx(at(0.5)[1])


def test_on_both_feet_the_ground_is_between_them() -> None:
    steps, gait_state, _ = on_stairs(0.1)
    gait_state.begin(READY, LEFT)
    assert steps.under(gait_state) == pytest.approx((0.14, 0.0, 0.05, 0.0, 0.0))
