"""Footsteps add up to the velocity, and feet keep to their own side."""

import itertools
import math

import numpy as np
import pytest

from kilohertz.controller.walking.footsteps import Foothold, next_foothold

PERIOD_S, WIDTH_M = 0.46, 0.18


def walk(velocity: tuple[float, float, float], steps: int = 40) -> list[Foothold]:
    """Footholds, right foot first."""
    feet: list[Foothold] = [(0.0, -0.5 * WIDTH_M, 0.0)]
    side = -1.0
    for _ in range(steps):
        feet.append(next_foothold(feet[-1], side, velocity, PERIOD_S, WIDTH_M))
        side = -side
    return feet


@pytest.mark.parametrize("velocity", [(0.5, 0.0, 0.0), (-0.2, 0.0, 0.0), (0.0, 0.15, 0.0), (0.3, -0.1, 0.0)])
def test_steps_add_up_to_the_velocity(velocity: tuple[float, float, float]) -> None:
    feet = walk(velocity)
    way = np.subtract(feet[40], feet[0])[:2]
    np.testing.assert_allclose(way / (40 * PERIOD_S), velocity[:2], atol=1e-12)


def test_turns_add_up_to_the_yaw_rate_and_stay_in_place() -> None:
    feet = walk((0.0, 0.0, 0.5))
    assert feet[40][2] == pytest.approx(0.5 * 40 * PERIOD_S)
    middles = [0.5 * (np.array(a[:2]) + np.array(b[:2])) for a, b in itertools.pairwise(feet)]
    assert np.abs(middles).max() < 0.03


def test_walking_on_the_spot_is_two_footholds() -> None:
    feet = walk((0.0, 0.0, 0.0))
    np.testing.assert_allclose(feet[2::2], np.broadcast_to(feet[0], (20, 3)), atol=1e-12)
    np.testing.assert_allclose(feet[3::2], np.broadcast_to(feet[1], (19, 3)), atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_feet_never_cross(seed: int) -> None:
    rng = np.random.default_rng(seed)
    side = float(rng.choice([-1.0, 1.0]))
    stance = (*rng.normal(size=2), rng.uniform(-3.0, 3.0))
    velocity = (rng.uniform(-0.3, 0.8), rng.uniform(-0.3, 0.3), rng.uniform(-1.0, 1.0) * 0.3)
    x, y, _ = next_foothold(stance, side, velocity, PERIOD_S, WIDTH_M)
    dx, dy = x - stance[0], y - stance[1]
    left_of_stance = math.cos(stance[2]) * dy - math.sin(stance[2]) * dx
    assert -side * left_of_stance > 0.3 * WIDTH_M
