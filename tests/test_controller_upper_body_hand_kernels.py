"""The level frame and what moves in it: velocities and accelerations are what poses change by."""

import numpy as np
import pinocchio as pin
import pytest
from kin_arrays import kin_arrays

from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.controller.upper_body.hand_kernels import (
    BLOCKED,
    HEADING,
    HEADING_RATE_PER_S,
    MOVED,
    LevelFrame,
    bound_pull,
    follow_base,
    follow_trunk,
    from_level,
)

DT = 1e-4


def motion(t):
    """A smooth motion in the level frame, with its derivatives."""
    row, w = np.zeros(24), np.array([0.4, -0.3, 0.8])
    row[:9] = pin.exp3(w * t).ravel()
    row[9:12] = 0.3 + 0.1 * np.sin([t, 2 * t, 3 * t])
    row[12:15] = 0.1 * np.array([1, 2, 3]) * np.cos([t, 2 * t, 3 * t])
    row[15:18] = w
    row[18:21] = -0.1 * np.array([1, 4, 9]) * np.sin([t, 2 * t, 3 * t])
    return row


def level(t, rate=0.7):
    """A frame that is carried along and turns steadily."""
    p, v = np.array([0.4 * t, 0.1 * t * t, 0.7]), np.array([0.4, 0.2 * t, 0.0])
    return LevelFrame(p, v, np.array([0.0, 0.2, 0.0]), np.array([rate * t + 0.3, rate]), 0)


def test_in_the_world_velocities_are_what_poses_change_by():
    rows = []
    for k in range(-1, 2):
        row = np.zeros(24)
        from_level(motion(0.5 + k * DT), row, level(0.5 + k * DT))
        rows.append(row)
    before, now, after = rows
    np.testing.assert_allclose((after[9:12] - before[9:12]) / (2 * DT), now[12:15], atol=1e-6)
    np.testing.assert_allclose((after[12:15] - before[12:15]) / (2 * DT), now[18:21], atol=1e-6)
    turned = pin.log3(after[:9].reshape(3, 3) @ before[:9].reshape(3, 3).T) / (2 * DT)
    np.testing.assert_allclose(turned, now[15:18], atol=1e-6)


def test_the_level_frame_is_at_the_base_and_follows_its_heading():
    R = np.array([pin.rpy.rpyToMatrix(0.1, -0.2, 0.5)])
    p, vel, vdot = np.array([[1.0, 2.0, 0.7]]), np.array([[0.3, 0.1, 0.0, 0.2, -0.4, 0.5]]), np.ones(8)
    R_des, frame = pin.rpy.rpyToMatrix(0.0, 0.0, 3.0), level(0.0)
    frame.turn[HEADING] = -3.0
    follow_base(1e-3, R_des, kin_arrays(p=p, R=R, vel=vel), vdot, frame)
    np.testing.assert_allclose(frame.p, p[0])
    np.testing.assert_allclose(frame.v, R[0] @ vel[0, :3])
    np.testing.assert_allclose(frame.a, R[0] @ (vdot[:3] + np.cross(vel[0, 3:], vel[0, :3])))
    short_way = HEADING_RATE_PER_S * (6.0 - 2.0 * np.pi)
    np.testing.assert_allclose(frame.turn, [-3.0 + 1e-3 * short_way, short_way])


def test_an_arm_provides_the_motion_that_base_and_trunk_do_not():
    rng = np.random.default_rng(3)
    R, J, vdot, ref = (
        np.array([pin.exp3(rng.normal(size=3))]),
        rng.normal(size=(1, 6, 9)),
        rng.normal(size=9),
        np.zeros(24),
    )
    follow_trunk(0, 5, ref, kin_arrays(R=R, J=J), vdot)
    given = np.kron(np.eye(2), R[0]) @ J[0, :, :5] @ vdot[:5]
    np.testing.assert_allclose(ref[18:], -given)
    np.testing.assert_array_equal(ref[:18], 0.0)


LIMITS = np.array([0.04, 0.006, 0.25, 0.06, 40.0, 10.0])
GAIN = np.array([1000.0, 63.0, 1000.0, 63.0, 0.0])


def pulled(ref, kin, state=None, whole=False, ticks=1):
    """The reference after it was bounded, and its state; the hand is frame 0, the base frame 1."""
    state = np.zeros(2) if state is None else state
    for _ in range(ticks):
        bounded = ref.copy()
        bound_pull(0, 1, 1e-3, whole, bounded, GAIN, state, LIMITS, kin, np.zeros((4, 3, 3)))
    return pose.views(bounded), state


def hand_at(R=None, v=(0.0, 0.0, 0.0)):
    """A hand at [0.3, 0.2, 0.8] and a base at rest, and a reference that is where the hand is."""
    R = np.eye(3) if R is None else R
    vel = np.zeros((2, 6))
    vel[0, :3] = R.T @ v
    kin = kin_arrays(p=np.array([[0.3, 0.2, 0.8], [0.0, 0.0, 0.7]]), R=np.array([R, np.eye(3)]), vel=vel)
    ref = np.zeros(24)
    ref[:9], ref[9:12] = R.ravel(), kin.p[0]
    return kin, ref


def demand(des, kin):
    """The acceleration that the task demands for the errors of position and velocity."""
    return GAIN[0] * (des.p - kin.p[0]) + GAIN[1] * (des.v - kin.R[0] @ kin.vel[0, :3]) + des.a


def test_a_reference_close_to_the_hand_is_not_changed():
    kin, ref = hand_at(pin.rpy.rpyToMatrix(0.3, 0.2, 0.1), v=(0.1, 0.0, 0.2))
    ref[9:12] += [0.003, 0.002, -0.003]
    ref[12:] = 0.1
    for whole in (False, True):
        des, state = pulled(ref, kin, whole=whole)
        np.testing.assert_allclose(des.p, ref[9:12])
        np.testing.assert_allclose(des.a, ref[18:21])
        assert (state == 0.0).all()


def test_however_far_its_target_a_hand_is_pulled_by_no_more_than_the_limits():
    rng = np.random.default_rng(0)
    for _ in range(50):
        R = pin.exp3(rng.normal(size=3))
        kin, ref = hand_at(R, v=rng.normal(size=3))
        ref[:9], ref[9:12] = pin.exp3(rng.normal(size=3)).ravel(), rng.normal(size=3)
        ref[12:15] = rng.normal(size=3)
        for whole in (False, True):
            des, state = pulled(ref, kin, whole=whole)
            off = des.p - kin.p[0]
            assert np.linalg.norm(off) <= 0.04 + 1e-9
            assert np.linalg.norm(demand(des, kin)) <= 40.0 + 1e-6
            assert np.linalg.norm(pin.log3(R.T @ des.R)) <= (0.06 if whole else 0.25) + 1e-6
            assert state[MOVED] == 1.0
            if whole:
                assert np.linalg.norm(off[:2]) <= 0.006 + 1e-9
            np.testing.assert_allclose(np.cross(off, ref[9:12] - kin.p[0])[2], 0.0, atol=1e-9)


def test_a_hand_that_gets_no_further_is_pulled_less_and_one_that_moves_again_as_before():
    kin, ref = hand_at()
    ref[9] += 0.5
    ref[12] = 0.8
    des, state = pulled(ref, kin)
    assert np.linalg.norm(demand(des, kin)) == pytest.approx(40.0)
    des, state = pulled(ref, kin, state, ticks=200)
    assert state[BLOCKED] == 1.0
    np.testing.assert_allclose(np.linalg.norm(demand(des, kin)), 10.0)
    moving, ref_moving = hand_at(v=(0.3, 0.0, 0.0))
    ref_moving[9] += 0.5
    assert pulled(ref_moving, moving, state, ticks=200)[1][BLOCKED] == 0.0
