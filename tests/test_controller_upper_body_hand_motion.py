"""The reference of a hand gets where it was asked to, no faster than it may, and never jumps."""

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.upper_body.hand_motion import HandMotion

DT, SPEED = 1e-3, 0.25
HERE = np.array([0.4, -0.1, 0.5])
R_HERE = pin.rpy.rpyToMatrix(0.1, 0.2, 0.3)


def ready():
    hand = HandMotion(SPEED)
    hand.place(R_HERE, HERE)
    return hand


def follow(hand, seconds):
    """What the reference does: p, v, a and R, w, wdot."""
    linear, angular = [], []
    for _ in range(round(seconds / DT)):
        hand.advance(DT)
        linear.append([hand.p.copy(), hand.v.copy(), hand.a.copy()])
        angular.append((hand.R.copy(), hand.w.copy(), hand.wdot.copy()))
    return np.array(linear), angular


def check_derivatives(linear, angular):
    for order in (0, 1):
        slope = (linear[2:, order] - linear[:-2, order]) / (2 * DT)
        np.testing.assert_allclose(slope, linear[1:-1, order + 1], atol=0.05)
    for before, here, after in zip(angular[:-2], angular[1:-1], angular[2:], strict=True):
        turned = pin.log3(after[0] @ before[0].T) / (2 * DT)
        np.testing.assert_allclose(turned, here[1], atol=5e-3)


def test_before_the_first_request_a_hand_rests_where_it_was_placed():
    linear, angular = follow(ready(), 1.0)
    np.testing.assert_allclose(linear[:, 0], np.tile(HERE, (1000, 1)), atol=1e-12)
    np.testing.assert_array_equal(linear[:, 1:], 0.0)
    np.testing.assert_allclose(angular[-1][0], R_HERE, atol=1e-12)


def test_a_reach_ends_at_rest_at_the_place_and_orientation():
    hand, goal, rpy = ready(), [0.5, 0.2, 0.7], [0.3, -0.4, 1.0]
    hand.move(np.array(goal), pin.rpy.rpyToMatrix(*rpy))
    linear, angular = follow(hand, 6.0)
    check_derivatives(linear, angular)
    np.testing.assert_allclose(linear[-1], [goal, np.zeros(3), np.zeros(3)], atol=1e-12)
    np.testing.assert_allclose(angular[-1][0], pin.rpy.rpyToMatrix(*rpy), atol=1e-12)
    np.testing.assert_allclose(linear[0, 0], HERE, atol=1e-6)


def test_a_reach_is_a_straight_line_at_no_more_than_its_speed():
    hand, goal = ready(), HERE + np.array([0.0, 0.6, 0.3])
    hand.move(goal, None)
    linear, _ = follow(hand, 6.0)
    way = goal - HERE
    aside = linear[:, 0] - HERE - np.outer((linear[:, 0] - HERE) @ way / (way @ way), way)
    np.testing.assert_allclose(aside, 0.0, atol=1e-12)
    speed = np.linalg.norm(linear[:, 1], axis=1)
    assert speed.max() == pytest.approx(SPEED, rel=1e-4)


@pytest.mark.parametrize(("axes", "still"), [([0, 1], 2), ([0, 2], 1), ([1, 2], 0)])
def test_a_circle_has_its_radius_period_and_plane(axes, still):
    hand = ready()
    hand.circle(0.1, np.pi, tuple(axes))
    linear, angular = follow(hand, 7.0)
    check_derivatives(linear, angular)
    p = linear[3000:, 0]
    centre = p[:2000].mean(axis=0)
    np.testing.assert_allclose(np.linalg.norm(p[:, axes] - centre[axes], axis=1), 0.1, atol=1e-4)
    np.testing.assert_allclose(p[:, still], HERE[still], atol=1e-12)
    np.testing.assert_allclose(p[:2000], p[2000:], atol=1e-9)
    np.testing.assert_allclose(centre, HERE, atol=1e-4)


def test_a_request_during_a_motion_changes_it_without_a_jump():
    hand = ready()
    hand.move(np.array([0.5, 0.3, 0.7]), None)
    first, _ = follow(hand, 0.9)
    hand.circle(0.05, np.pi, (1, 2))
    second, _ = follow(hand, 1.3)
    hand.move(HERE + np.array([0.0, 0.0, 0.1]), None)
    third, _ = follow(hand, 0.6)
    hand.move(None, None)
    fourth, _ = follow(hand, 1.0)
    motion = np.concatenate([first, second, third, fourth])
    for order in (0, 1):
        slope = (motion[2:, order] - motion[:-2, order]) / (2 * DT)
        np.testing.assert_allclose(slope, motion[1:-1, order + 1], atol=0.05)
    np.testing.assert_allclose(fourth[-1, 1:], 0.0, atol=1e-12)


def test_a_rotation_in_progress_blends_into_the_next_one_or_comes_to_rest():
    hand = ready()
    hand.move(HERE, pin.rpy.rpyToMatrix(0.0, 0.0, 1.5))
    linear, angular = follow(hand, 0.7)
    for R in (pin.rpy.rpyToMatrix(1.0, -0.5, 0.2), None):
        hand.move(None, R)
        more, turned = follow(hand, 0.7)
        linear, angular = np.concatenate([linear, more]), angular + turned
    check_derivatives(linear, angular)
    np.testing.assert_allclose(angular[-1][1:], 0.0, atol=1e-12)


def test_a_motion_in_progress_at_the_first_request_blends_into_it():
    hand = ready()
    hand.v[:], hand.w[:] = [0.3, -0.2, 0.1], [0.5, 0.2, -0.4]
    hand.move(HERE + 0.1, R_HERE)
    linear, angular = follow(hand, 1.5)
    check_derivatives(linear, angular)
    np.testing.assert_allclose(linear[0, 1], [0.3, -0.2, 0.1], atol=0.01)
    np.testing.assert_allclose(linear[-1, 0], HERE + 0.1, atol=1e-12)


def test_a_hand_is_steady_at_its_target_and_on_whole_circles():
    hand = ready()
    hand.move(HERE + np.array([0.1, 0.0, 0.0]), None)
    follow(hand, 0.3)
    assert not hand.steady
    follow(hand, 3.0)
    assert hand.steady
    hand.circle(0.05, 3.0, (1, 2))
    follow(hand, 1.0)
    assert not hand.steady
    follow(hand, 1.5)
    assert hand.steady
