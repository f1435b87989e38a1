"""Between two steps the zero-moment point goes from foot to foot, and the DCM as the pendulum does."""

import pytest
from gaits import GAIT

from kilohertz.controller.walking.dcm_plan import DcmPlan
from kilohertz.controller.walking.double_support import DoubleSupport

FROM, TO, END = (0.0, 0.1), (0.3, -0.1), (0.28, -0.06)


def double_support(hold_s: float) -> DoubleSupport:
    made = DoubleSupport()
    made.begin(FROM, 0.08, hold_s)
    return made


@pytest.mark.parametrize("hold_s", [0.0, 0.05])
def test_the_dcm_moves_as_the_pendulum_does_and_ends_where_the_step_begins(hold_s: float) -> None:
    plan, made = DcmPlan(GAIT), double_support(hold_s)
    for t in (0.02, 0.07, 0.075, 0.12):
        if t + 1e-5 > made.whole_s:
            continue
        before, after = (made.advance(t + d, TO, plan, END)[0] for d in (-1e-5, 1e-5))
        xi, z = made.advance(t, TO, plan, END)
        for axis in (0, 1):
            speed = (after[axis] - before[axis]) / 2e-5
            assert speed == pytest.approx(plan.omega * (xi[axis] - z[axis]), abs=1e-5)
    assert made.advance(made.whole_s, TO, plan, END) == (END, pytest.approx(TO))
    assert made.part == 1.0


def test_the_pressure_centre_waits_before_it_moves() -> None:
    plan, made = DcmPlan(GAIT), double_support(0.05)
    assert made.advance(0.04, TO, plan, END)[1] == FROM
    assert made.part == 0.0
    _, z = made.advance(0.09, TO, plan, END)
    assert made.part == pytest.approx(0.5)
    assert z == pytest.approx((0.15, 0.0))
