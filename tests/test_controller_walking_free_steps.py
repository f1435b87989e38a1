"""Free steps go where the course goes, over the plane that the feet have felt."""

from types import SimpleNamespace

import pytest
from gaits import GAIT

from kilohertz.controller.walking.dcm_plan import DcmPlan
from kilohertz.controller.walking.free_steps import FreeSteps
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, READY, SWING, GaitState
from kilohertz.controller.walking.velocity_reference import VelocityReference

FEET = [(0.2, 0.09, 0.0), (-0.1, -0.09, 0.0)]


def steps_and_stride(phase: int) -> tuple[FreeSteps, GaitState, VelocityReference]:
    velocity_reference, gait_state = VelocityReference(), GaitState(left=0)
    steps = FreeSteps(SimpleNamespace(gait=GAIT, plan=DcmPlan(GAIT)), velocity_reference)
    gait_state.feet[:], gait_state.soles_z[:] = FEET, [0.03, 0.0]
    gait_state.begin(phase, 0)
    return steps, gait_state, velocity_reference


def test_a_step_goes_as_far_as_the_course_asks() -> None:
    steps, gait_state, velocity_reference = steps_and_stride(SWING)
    assert steps.foothold(gait_state, last=False) == pytest.approx((0.2, -0.09, 0.0))
    velocity_reference.steps = (0.5, 0.0, 0.0)
    period = GAIT.step_s + GAIT.double_support_s
    assert steps.foothold(gait_state, last=False) == pytest.approx((0.2 + 0.5 * period, -0.09, 0.0))
    assert steps.foothold(gait_state, last=True) == pytest.approx((0.2, -0.09, 0.0))


def test_a_last_step_ends_between_the_feet() -> None:
    steps, gait_state, velocity_reference = steps_and_stride(SWING)
    assert steps.touchdown(gait_state, (0.2, -0.09, 0.0), last=True) == ((0.2, 0.0), 0.5)
    assert steps.is_last(stop=True)
    assert not steps.is_last(stop=False)
    velocity_reference.ask(0.5, 0.0, 0.0)
    assert not steps.is_last(stop=True)


def test_the_transfer_ends_where_the_next_swing_begins() -> None:
    steps, gait_state, velocity_reference = steps_and_stride(DOUBLE_SUPPORT)
    velocity_reference.steps = (0.3, 0.0, 0.1)
    foothold = steps.foothold(gait_state, last=False)
    end = steps.plan.at_touchdown(FEET[0], foothold, -1.0, velocity_reference.steps)
    assert steps.before_swing(gait_state) == steps.plan.after_landing(FEET[1], FEET[0], foothold, end)


def test_the_ground_is_level_where_none_is_felt_and_the_felt_plane_through_the_feet_elsewhere() -> None:
    for phase in (READY, DOUBLE_SUPPORT, SWING):
        steps, gait_state, _ = steps_and_stride(phase)
        z = 0.03 if phase == SWING else 0.015
        assert steps.under(gait_state)[2:] == (z, 0.0, 0.0)
        for i in range(6):
            steps.ground.feel(0.12 * i, 0.09 * (-1) ** i, 0.012 * i, (0.1, 0.0))
        x, y, at, *slope = steps.under(gait_state)
        assert tuple(slope) == steps.ground.slope
        assert slope[0] == pytest.approx(0.1, abs=0.01)
        assert (x, y, at) == pytest.approx((0.2, 0.09, 0.03) if phase == SWING else (0.05, 0.0, 0.015))
    assert steps.landing(gait_state) == (0.03, *steps.ground.slope)


def test_point_feet_estimate_no_slope() -> None:
    steps, _, _ = steps_and_stride(READY)
    steps.feel(FEET[0], 0.0, (-0.1, 0.0, 1.0))
    assert steps.ground.slope[0] > 0.05
    points = FreeSteps(
        SimpleNamespace(gait=SimpleNamespace(half_length_m=0.0, half_width_m=0.0), plan=None),
        VelocityReference(),
    )
    points.feel(FEET[0], 0.0, (-0.1, 0.0, 1.0))
    assert points.ground.slope == (0.0, 0.0)
