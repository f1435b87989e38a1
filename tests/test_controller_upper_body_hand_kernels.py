"""The level frame and what moves in it: velocities and accelerations are what poses change by."""

import numpy as np
import pinocchio as pin
from kin_arrays import kin_arrays

from kilohertz.controller.upper_body.hand_kernels import (
    HEADING,
    HEADING_RATE_PER_S,
    LevelFrame,
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
