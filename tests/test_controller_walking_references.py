"""What walking writes for a tick agrees with its own derivatives, and with what it was told."""

import math

import numpy as np
import pinocchio as pin
import pytest
from kin_arrays import kin_arrays
from plain_python import plain

from kilohertz.controller.walking import references
from kilohertz.controller.walking.references import SEEN, SEEN_SLIDES, Leading, WalkingArrays
from kilohertz.controller.walking.swing import (
    AXES,
    EDGES,
    FLIGHT,
    NOSE,
    PITCH,
    ROLL,
    TOE_M,
    YAW,
    SwingArrays,
    quintic,
)

PLACE, TURN = np.array([0, 30]), np.array([15, 45])


def arrays(n_refs: int = 60, **fields) -> WalkingArrays:
    """What walking sees and writes, with these fields; the others are zeros."""
    blank = {
        "seen": np.zeros(SEEN),
        "slide": np.zeros((2, 2)),
        "heading": np.zeros(1),
        "p_WS": np.zeros(3),
        "references": np.zeros(n_refs),
        "place": PLACE,
        "turn": TURN,
        "com": np.array([0]),
        "upright": np.array([], int),
        "height_gain": np.zeros(2),
        "sole_z": np.zeros(1),
        "xi_des": np.zeros(2),
        "p_WC_des": np.zeros(3),
        "v_WC_des": np.zeros(3),
        "R_des": np.eye(3),
    }
    return WalkingArrays(**{**blank, **fields})


def swinging(axes, toe_m) -> SwingArrays:
    shape = np.zeros(EDGES + 1)
    shape[TOE_M] = toe_m
    return SwingArrays(axes, np.zeros(FLIGHT), shape)


see_feet, lead_body = plain(references.see_feet), plain(references.lead_body)
lead_foot = plain(references.lead_foot)


def foot_at(t, foot=1):
    """Position and orientation rows of a foot that moves smoothly on all axes; the ground does not roll."""
    axes, walk = np.zeros((AXES, 3)), arrays()
    refs = walk.references
    for k in range(ROLL):
        c = np.array([0.1, 0.4, -0.7, 0.9]) * (1.0 + 0.3 * k)
        axes[k] = c @ [1, t, t**2, t**3], c[1:] @ [1, 2 * t, 3 * t**2], c[2:] @ [2, 6 * t]
    lead_foot(foot, swinging(axes, 0.08), walk)
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
        axes, walk = np.zeros((AXES, 3)), arrays()
        refs = walk.references
        axes[YAW, :2] = yaw, 0.3 if pitch is None else 0.0
        axes[PITCH, :2] = pitch or 0.0, 0.4 if pitch is not None else 0.0
        axes[NOSE, 0] = 0.05
        lead_foot(0, swinging(axes, 0.0), walk)
        return refs[TURN[0] : TURN[0] + 9].reshape(3, 3), refs[TURN[0] + 9 : TURN[0] + 12]

    for of in (lambda t: rows(0.1 + 0.4 * t, 0.5), lambda t: rows(None, 0.2 + 0.3 * t)):
        (R0, _), (R, w), (R1, _) = of(-h), of(0.0), of(h)
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(w, pin.log3(R1 @ R0.T) / (2 * h), atol=1e-6)


def test_a_point_has_a_place_and_no_orientation():
    walk = arrays(turn=np.array([-1, -1]))
    refs = walk.references
    axes = np.tile(quintic((0.0, 1.0, 2.0), 1.0, 0.5, 1e-3), (AXES, 1))
    lead_foot(0, swinging(axes, 0.0), walk)
    assert refs[:9].any()
    assert not refs[9:].any()


@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_feet_are_seen_near_the_heading_however_often_it_has_turned(turns):
    R = np.array([pin.utils.rotate("z", 0.3), pin.utils.rotate("z", -0.2)])
    p, heading = np.array([[1.0, 2.0, 0.1], [1.5, 2.5, 0.3]]), 0.1 + turns * 2.0 * math.pi
    walk = arrays(heading=np.array([heading]), xi_des=np.array([1.0, 1.6]))
    com, vel = {"p_WC": np.array([1.2, 2.2, 0.7]), "v_WC": np.array([0.4, -0.8, 0.0])}, np.zeros((2, 6))
    vel[1, :2] = 0.3, 0.4
    see_feet(0.05, 4.0, kin_arrays(p=p, R=R, vel=vel, **com), walk)
    expected = [1.0, 2.0, 0.3, 1.5, 2.5, -0.2, 0.1, 0.3, 1.3, 2.0, 0.5, 0.0, 0.5]
    expected[2] += turns * 2.0 * math.pi
    expected[5] += turns * 2.0 * math.pi
    np.testing.assert_allclose(walk.seen, expected, atol=1e-12)
    np.testing.assert_allclose(walk.p_WS, p.mean(axis=0))
    # The heading turns towards the mean of the feet, by a fifth in 0.05 s.
    assert walk.heading[0] == pytest.approx(heading - 0.2 * 0.05)


def slides(velocities):
    """(n,) speed along its sole at which a foot with these (n, 2) velocities is seen to slide [m/s]."""
    walk, vel = arrays(), np.zeros((2, 6))
    p, R = np.zeros((2, 3)), np.tile(np.eye(3), (2, 1, 1))
    k, seen = kin_arrays(p=p, R=R, vel=vel, p_WC=np.zeros(3), v_WC=np.zeros(3)), []
    for v in velocities:
        vel[0, :2] = v
        see_feet(1e-3, 4.0, k, walk)
        seen.append(walk.seen[SEEN_SLIDES])
    return np.array(seen)


def test_noise_of_its_velocity_is_no_sliding_of_a_foot_but_sliding_is_soon_seen():
    noise = np.random.default_rng(0).normal(scale=0.06, size=(1000, 2))
    assert (np.hypot(*noise.T) > 0.09).mean() > 0.2
    assert slides(noise).max() < 0.05
    sliding = slides(np.add(noise, [0.2, 0.0]))
    assert (sliding[25:] > 0.09).all()
    assert sliding.mean() == pytest.approx(0.2, rel=0.05)


def test_the_body_accelerates_off_the_zero_moment_point_and_keeps_its_height_over_a_slope():
    p, v, slope, omega = np.array([0.1, -0.05, 0.65]), np.array([0.5, 0.1, 0.05]), (0.1, -0.2), 3.8
    sole_z = 0.06
    walk = arrays(
        40,
        upright=np.array([10, 25]),
        height_gain=np.array([100.0, 20.0]),
        sole_z=np.array([sole_z]),
        p_WC_des=p.copy(),
    )
    refs, p_des, v_des = walk.references, walk.p_WC_des, walk.v_WC_des
    ground = 0.0, -0.1, sole_z - slope[0] * p[0] - slope[1] * (p[1] + 0.1)
    leading = Leading(omega, *ground, *slope, 0.6, 0.3, 0.2, 1e-3)
    lead_body((0.2, 0.0), (0.12, -0.02), leading, kin_arrays(p_WC=p, v_WC=v), walk)
    assert tuple(walk.xi_des) == (0.2, 0.0)
    assert walk.sole_z[0] == pytest.approx(sole_z)
    a = refs[6:9]
    np.testing.assert_allclose(a[:2], omega**2 * (p[:2] - [0.12, -0.02]))
    climb = slope[0] * v[0] + slope[1] * v[1]
    assert a[2] == pytest.approx(1.0 + 20.0 * (climb - v[2]) + slope[0] * a[0] + slope[1] * a[1])
    np.testing.assert_allclose(v_des[:2], omega * (np.array([0.2, 0.0]) - p[:2]))
    np.testing.assert_allclose(p_des, [p[0] + 1e-3 * v_des[0], p[1] + 1e-3 * v_des[1], 0.66])
    for start in (10, 25):
        np.testing.assert_allclose(refs[start : start + 9].reshape(3, 3), pin.utils.rotate("z", 0.3))
        assert refs[start + 11] == 0.2


def test_a_step_in_the_ground_is_followed_at_a_limited_speed():
    walk, p = arrays(), np.array([0.0, 0.0, 0.7])
    heights = []
    for _ in range(500):
        leading = Leading(3.8, 0.0, 0.0, 0.1, 0.0, 0.0, 0.6, 0.0, 0.0, 1e-3)
        lead_body((0.0, 0.0), (0.0, 0.0), leading, kin_arrays(p_WC=p, v_WC=np.zeros(3)), walk)
        heights.append(walk.p_WC_des[2])
    assert heights[0] < 0.601
    assert np.diff(heights).max() < 1e-3
    assert heights[-1] == pytest.approx(0.7)
