"""What walking writes for a tick agrees with its own derivatives, and with what it was told."""

import math

import numpy as np
import pinocchio as pin
import pytest

from controller.walking.references import lead_body, lead_foot, see_feet
from controller.walking.swing import quintic

PLACE, TURN = np.array([0, 30]), np.array([15, 45])


def foot_at(t, foot=1):
    """Position and orientation rows of a foot that moves smoothly on all axes; the ground does not roll."""
    axes = []
    for k in range(6):
        c = np.array([0.1, 0.4, -0.7, 0.9]) * (1.0 + 0.3 * k)
        axes += [c @ [1, t, t**2, t**3], c[1:] @ [1, 2 * t, 3 * t**2], c[2:] @ [2, 6 * t]]
    refs = np.zeros(60)
    lead_foot(foot, *axes, 0.0, refs, PLACE, TURN)
    return refs[PLACE[foot] : PLACE[foot] + 9], refs[TURN[foot] : TURN[foot] + 15]


@pytest.mark.parametrize("t", [0.0, 0.2, 0.5])
def test_a_foots_velocity_is_the_derivative_of_its_place(t):
    h = 1e-6
    before, now, after = foot_at(t - h)[0], foot_at(t)[0], foot_at(t + h)[0]
    np.testing.assert_allclose(now[3:6], (after[:3] - before[:3]) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(now[6:9], (after[3:6] - before[3:6]) / (2 * h), atol=1e-6)


def test_a_foot_that_does_not_pitch_and_yaw_at_once_turns_as_its_rotation_does():
    h = 1e-6

    def rows(pitch, yaw):
        refs = np.zeros(60)
        axes = [0.0] * 9 + [yaw, 0.3 if pitch is None else 0.0, 0.0]
        axes += [pitch or 0.0, 0.4 if pitch is not None else 0.0, 0.0, 0.0, 0.0, 0.0]
        lead_foot(0, *axes, 0.0, refs, PLACE, TURN)
        return refs[TURN[0] : TURN[0] + 9].reshape(3, 3), refs[TURN[0] + 9 : TURN[0] + 12]

    for of in (lambda t: rows(0.1 + 0.4 * t, 0.5), lambda t: rows(None, 0.2 + 0.3 * t)):
        (R0, _), (R, w), (R1, _) = of(-h), of(0.0), of(h)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(w, pin.log3(R1 @ R0.T) / (2 * h), atol=1e-6)


def test_a_point_has_a_place_and_no_orientation():
    refs = np.zeros(60)
    lead_foot(0, *quintic((0.0, 1.0, 2.0), 1.0, 0.5, 1e-3) * 6, 0.0, refs, PLACE, np.array([-1, -1]))
    assert refs[:9].any()
    assert not refs[9:].any()


@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_feet_are_seen_near_the_heading_however_often_it_has_turned(turns):
    R = np.array([pin.utils.rotate("z", 0.3), pin.utils.rotate("z", -0.2)])
    p, heading = np.array([[1.0, 2.0, 0.1], [1.5, 2.5, 0.3]]), 0.1 + turns * 2.0 * math.pi
    seen, middle = np.zeros(10), np.zeros(3)
    see_feet(heading, 4.0, p, R, np.array([1.2, 2.2, 0.7]), np.array([0.4, -0.8, 0.0]), seen, middle)
    expected = [1.0, 2.0, 0.3, 1.5, 2.5, -0.2, 0.1, 0.3, 1.3, 2.0]
    expected[2] += turns * 2.0 * math.pi
    expected[5] += turns * 2.0 * math.pi
    np.testing.assert_allclose(seen, expected, atol=1e-12)
    np.testing.assert_allclose(middle, p.mean(axis=0))


def test_the_body_accelerates_off_the_zero_moment_point_and_keeps_its_height_over_a_slope():
    p, v, slope, omega = np.array([0.1, -0.05, 0.65]), np.array([0.5, 0.1, 0.05]), (0.1, -0.2), 3.8
    refs, p_des, v_des, R_des = np.zeros(40), p.copy(), np.zeros(3), np.eye(3)
    at = np.array([0]), np.array([10, 25])
    lead_body(
        0.2,
        0.0,
        0.12,
        -0.02,
        0.66,
        *slope,
        100.0,
        20.0,
        omega,
        0.3,
        0.2,
        1e-3,
        p,
        v,
        refs,
        *at,
        p_des,
        v_des,
        R_des,
    )
    a = refs[6:9]
    np.testing.assert_allclose(a[:2], omega**2 * (p[:2] - [0.12, -0.02]))
    climb = slope[0] * v[0] + slope[1] * v[1]
    assert a[2] == pytest.approx(1.0 + 20.0 * (climb - v[2]) + slope[0] * a[0] + slope[1] * a[1])
    np.testing.assert_allclose(v_des[:2], omega * (np.array([0.2, 0.0]) - p[:2]))
    np.testing.assert_allclose(p_des, [p[0] + 1e-3 * v_des[0], p[1] + 1e-3 * v_des[1], 0.66])
    for start in (10, 25):
        np.testing.assert_allclose(refs[start : start + 9].reshape(3, 3), pin.utils.rotate("z", 0.3))
        assert refs[start + 11] == 0.2
