"""The ground is as high as it says it is."""

import mujoco
import numpy as np
import pytest

from kilohertz.sim.scenario_schema import Blocks, Flat, Slope, Stairs
from kilohertz.sim.terrain import BLOCKS_START_M, make_terrain

GROUNDS = [
    Flat(kind="flat"),
    Slope(kind="slope", pitch_deg=8.0),
    Slope(kind="slope", pitch_deg=-5.0, roll_deg=7.0),
    Blocks(kind="blocks", size_m=0.3, height_m=0.05, seed=3),
    Stairs(kind="stairs", rise_m=0.1, tread_m=0.3, count=4),
    Stairs(kind="stairs", rise_m=-0.15, tread_m=0.3, count=4),
    Stairs(kind="stairs", rise_m=0.1, tread_m=0.3, count=3, landing_m=0.8, and_back=True),
    Stairs(kind="stairs", rise_m=-0.1, tread_m=0.3, count=2, landing_m=0.5, and_back=True),
]


def measured_height(model, data, x_m, y_m):
    hit = np.zeros(1, np.int32)
    distance = mujoco.mj_ray(
        model, data, np.array([x_m, y_m, 10.0]), np.array([0.0, 0.0, -1.0]), None, 1, -1, hit, None
    )
    return 10.0 - distance


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda g: f"{g.kind}")
def test_the_height_is_that_of_the_geometry(ground):
    terrain = make_terrain(ground)
    spec = mujoco.MjSpec()
    terrain.add_to(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    rng = np.random.default_rng(0)
    for x_m, y_m in rng.uniform(-1.9, 1.9, (50, 2)):
        assert terrain.height_at(x_m, y_m) == pytest.approx(measured_height(model, data, x_m, y_m), abs=1e-9)


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda g: f"{g.kind}")
def test_the_start_is_at_height_zero(ground):
    assert make_terrain(ground).height_at(0.0, 0.0) == pytest.approx(0.0)


def test_a_slope_rises_as_its_angles_say():
    terrain = make_terrain(Slope(kind="slope", pitch_deg=5.0))
    assert terrain.height_at(1.0, 0.0) == pytest.approx(np.tan(np.deg2rad(5.0)))
    terrain = make_terrain(Slope(kind="slope", roll_deg=5.0))
    assert terrain.height_at(0.0, 1.0) == pytest.approx(np.tan(np.deg2rad(5.0)))


def test_stairs_climb_by_their_rise():
    terrain = make_terrain(Stairs(kind="stairs", rise_m=0.1, tread_m=0.3, count=3))
    heights = [terrain.height_at(x, 0.0) for x in (0.4, 0.6, 0.9, 1.2, 3.0)]
    np.testing.assert_allclose(heights, [0.0, 0.1, 0.2, 0.3, 0.3])


@pytest.mark.parametrize("rise_m", [0.1, -0.1])
def test_stairs_and_back_end_at_the_height_of_their_start(rise_m):
    ground = Stairs(kind="stairs", rise_m=rise_m, tread_m=0.3, count=2, landing_m=0.6, and_back=True)
    terrain = make_terrain(ground)
    heights = [terrain.height_at(x, 0.0) for x in (0.4, 0.6, 1.1, 1.5, 1.8, 5.0)]
    np.testing.assert_allclose(heights, rise_m * np.array([0, 1, 2, 1, 0, 0]), atol=1e-12)


def test_blocks_leave_the_start_flat_and_stay_below_their_height():
    terrain = make_terrain(Blocks(kind="blocks", height_m=0.04))
    tops = [box.top_m for box in terrain.boxes]
    assert 0.03 < max(tops) <= 0.04
    for box in terrain.boxes:
        nearest = [max(box.x_min_m, -box.x_max_m, 0.0), max(box.y_min_m, -box.y_max_m, 0.0)]
        assert max(nearest) >= BLOCKS_START_M - 1e-9


def test_blocks_depend_on_both_seeds_and_on_nothing_else():
    def tops(ground_seed, run_seed):
        return [box.top_m for box in make_terrain(Blocks(kind="blocks", seed=ground_seed), run_seed).boxes]

    assert tops(1, 2) == tops(1, 2)
    assert tops(1, 2) != tops(1, 3)
    assert tops(1, 2) != tops(0, 2)
