"""The reference of the centre of mass moves as it says, and never jumps."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.supervision.request import make_request

DT = 1e-3
SWAY = ("sway", {"amplitude_m": 0.03, "period_s": 2.0, "axis": "y"})
SQUAT = ("squat", {"depth_m": 0.1, "period_s": 3.0})
STAND = ("stand", {})


def run(*plan, start=None):
    """Positions, velocities, accelerations while one request follows the other; (request, seconds) each."""
    motion, out = PostureReference(), []
    if start is not None:
        motion.start_from(np.array(start))
    for (kind, params), seconds in plan:
        request = make_request(robot("g1"), kind, params)
        behaviour = request.kind(None)
        behaviour.start(request.payload)
        motion.switch(behaviour)
        for _ in range(round(seconds / DT)):
            motion.advance(DT)
            out.append([motion.p.copy(), motion.v.copy(), motion.a.copy()])
    return np.array(out)


PLANS = {
    "sway": ((SWAY, 4.0),),
    "squat": ((SQUAT, 4.0),),
    "sway, squat, stand": ((SWAY, 2.3), (SQUAT, 1.7), (STAND, 1.5)),
    "soon again": ((SWAY, 0.4), (SWAY, 0.3), (SQUAT, 0.5)),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_velocity_and_acceleration_are_derivatives_across_requests_too(plan):
    motion = run(*plan, start=[0.01, -0.02, 0.03])
    for order in (0, 1):
        slope = (motion[2:, order] - motion[:-2, order]) / (2 * DT)
        np.testing.assert_allclose(slope, motion[1:-1, order + 1], atol=0.03)
    assert np.abs(np.diff(motion[:, 0], axis=0)).max() < 1e-3


def test_a_sway_has_its_amplitude_and_period():
    p = run((SWAY, 8.0))[4000:, 0]
    assert np.abs(p[:, [0, 2]]).max() == 0.0
    assert p[:, 1].max() == pytest.approx(0.03, rel=1e-3)
    assert p[:, 1].min() == pytest.approx(-0.03, rel=1e-3)
    np.testing.assert_allclose(p[:2000, 1], p[2000:, 1], atol=1e-9)


def test_a_squat_goes_down_by_its_depth_and_up_again():
    p = run((SQUAT, 9.0))[3000:, 0]
    assert np.abs(p[:, :2]).max() == 0.0
    assert p[:, 2].min() == pytest.approx(-0.1, rel=1e-3)
    assert p[:, 2].max() == pytest.approx(0.0, abs=1e-4)


def test_standing_comes_to_rest_at_the_nominal_position():
    motion = run((SWAY, 2.3), (STAND, 1.5))
    np.testing.assert_allclose(motion[-1], 0.0, atol=1e-12)


def test_it_starts_at_rest_where_the_robot_is():
    motion = run((STAND, 2.0), start=[0.02, -0.01, 0.03])
    np.testing.assert_allclose(motion[0, 0], [0.02, -0.01, 0.03], atol=1e-4)
    np.testing.assert_allclose(motion[0, 1], 0.0, atol=1e-2)
    np.testing.assert_allclose(motion[-1], 0.0, atol=1e-12)
