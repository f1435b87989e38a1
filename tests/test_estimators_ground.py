"""The ground is the plane that the feet have felt, and level where they have felt none."""

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.ground import Ground, sole_tilt


def walk_on(ground: Ground, heights: list[float], slope: tuple[float, float] = (0.0, 0.0)) -> None:
    for i, z in enumerate(heights):
        ground.feel(0.12 * i, 0.09 * (-1) ** i, z, slope)


@pytest.mark.parametrize("slope", [(0.1, 0.0), (-0.17, 0.05), (0.0, -0.1)])
def test_a_plane_is_found(slope: tuple[float, float]) -> None:
    ground = Ground(0.075, 0.022)
    walk_on(ground, [slope[0] * 0.12 * i + slope[1] * 0.09 * (-1) ** i for i in range(8)], slope)
    assert ground.slope == pytest.approx(slope, abs=0.002)


def test_two_soles_side_by_side_tell_by_their_tilt() -> None:
    ground = Ground(0.075, 0.022)
    for y in (-0.12, 0.12):
        ground.feel(0.0, y, 0.0, (0.15, 0.0))
    assert ground.slope == pytest.approx((0.15, 0.0), abs=0.005)


def test_rough_ground_counts_as_flatter_than_its_best_plane() -> None:
    rng = np.random.default_rng(0)
    felt, fitted = [], []
    for _ in range(50):
        heights = rng.uniform(0.0, 0.04, 6)
        ground = Ground(0.075, 0.022)
        walk_on(ground, list(heights))
        felt.append(ground.slope)
        x, y = 0.12 * np.arange(6), 0.09 * (-1.0) ** np.arange(6)
        fitted.append(np.linalg.lstsq(np.column_stack((x, y, np.ones(6))), heights, rcond=None)[0][:2])
    assert np.std(felt, axis=0)[1] < 0.7 * np.std(fitted, axis=0)[1]


def test_old_contacts_are_forgotten() -> None:
    ground = Ground(0.075, 0.022)
    walk_on(ground, [0.02 * i for i in range(8)], (1 / 6, 0.0))
    assert ground.slope[0] > 0.1
    for i in range(6):
        ground.feel(1.0 + 0.12 * i, 0.09 * (-1) ** i, 0.16, (0.0, 0.0))
    assert ground.slope == pytest.approx((0.0, 0.0), abs=1e-6)
    ground.begin()
    assert ground.slope == (0.0, 0.0)


@pytest.mark.parametrize("yaw", [0.0, 0.7, -2.0])
def test_a_sole_on_a_slope_is_normal_to_it(yaw: float) -> None:
    pitch, roll = sole_tilt(0.1, -0.2, yaw)
    R = pin.rpy.rpyToMatrix(roll, pitch, yaw)
    np.testing.assert_allclose(R[:, 2] / R[2, 2], [-0.1, 0.2, 1.0], atol=1e-12)
