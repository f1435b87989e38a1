"""What the frame tasks share: rotating into a frame, rotation and pose errors."""

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.problem.frames import pose_error, rotation_error, to_frame

ANGLES = (0.0, 1e-8, 0.9e-4, 1.1e-4, 0.049, 0.051, 1.0, 3.0)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def unit(rng):
    a = rng.normal(size=3)
    return a / np.linalg.norm(a)


def test_a_world_vector_is_seen_in_the_frames_axes(rng):
    R, a, out = pin.exp3(rng.normal(size=3)), rng.normal(size=7), np.zeros(3)
    to_frame(R, a, 2, out)
    np.testing.assert_allclose(out, R.T @ a[2:5], atol=1e-15)


@pytest.mark.parametrize("angle", ANGLES)
def test_the_rotation_error_is_the_logarithm_and_returns_its_angle(rng, angle):
    for _ in range(10):
        R, turn = pin.exp3(rng.normal(size=3)), angle * unit(rng)
        ref, out = (R @ pin.exp3(turn)).ravel(), np.zeros(3)
        returned = rotation_error(R, ref, out, np.zeros((3, 3)))
        np.testing.assert_allclose(out, turn, rtol=1e-9, atol=1e-9)
        assert returned == pytest.approx(angle, abs=1e-8)


@pytest.mark.parametrize("angle", ANGLES)
def test_the_pose_error_is_the_logarithm_on_se3(rng, angle):
    for _ in range(10):
        here = pin.SE3(pin.exp3(rng.normal(size=3)), rng.normal(size=3))
        there = here * pin.SE3(pin.exp3(angle * unit(rng)), rng.normal(size=3))
        ref, out = np.r_[there.rotation.ravel(), there.translation], np.zeros(6)
        pose_error(here.rotation, here.translation, ref, out, np.zeros((8, 3)))
        np.testing.assert_allclose(out, pin.log6(here.actInv(there)).vector, rtol=1e-8, atol=1e-8)
