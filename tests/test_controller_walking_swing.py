"""The swing foot lands where and when it should, at rest, however often its target moves."""

from __future__ import annotations

import numpy as np
import pytest
from plain_python import plain

from kilohertz.controller.walking import swing as kernels
from kilohertz.controller.walking.swing import (
    NOSE,
    PITCH,
    ROLL,
    TOE_M,
    YAW,
    State,
    Swing,
    X,
    Y,
    Z,
    foot_height,
    quintic,
)

DT = 1e-3
swing_on, tiptoe = plain(kernels.swing_on), plain(kernels.tiptoe)
held_back, climb = plain(kernels.held_back), plain(kernels.climb)
stopped = plain(kernels.stopped)


def axis(index: int) -> property:
    return property(lambda foot: tuple(foot.axes[index].tolist()))


class Foot(Swing):
    """A swing foot that the plain Python of its kernels moves."""

    x, y, z, yaw = axis(X), axis(Y), axis(Z), axis(YAW)
    pitch, nose_down, roll = axis(PITCH), axis(NOSE), axis(ROLL)

    def advance(
        self,
        target: tuple[float, float, float],
        ground_m: float,
        t_s: float,
        duration_s: float,
        dt_s: float,
        tilt: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        swing_on(target, ground_m, tilt, t_s, duration_s, dt_s, self.arrays)

    def tiptoe(self, ahead_m: float, t_s: float, duration_s: float) -> None:
        tiptoe(ahead_m, t_s, duration_s, self.arrays)

    def height(self) -> State:
        return foot_height(self.axes, self.shape[TOE_M])

    def held_back(self, foot: tuple[float, float, float], ahead_m_s: float, left_m_s: float) -> bool:
        return held_back(foot, ahead_m_s, left_m_s, self.arrays)  # type: ignore[no-any-return]

    def stopped(self, z: float) -> bool:
        return bool(stopped(z, self.arrays))

    def climb(self, x: float, y: float, t_s: float, duration_s: float) -> None:
        climb(x, y, t_s, duration_s, self.arrays)


def test_a_quintic_ends_at_rest_in_its_target() -> None:
    state, T = (0.1, -0.3, 2.0), 0.4
    for i in range(400):
        state = quintic(state, 0.5, T - i * DT, DT)
    np.testing.assert_allclose(state, (0.5, 0.0, 0.0), atol=1e-9)


def test_a_quintic_goes_on_from_where_it_is() -> None:
    p, v, a = 0.1, -0.3, 2.0
    new = quintic((p, v, a), 0.5, 0.4, 1e-6)
    np.testing.assert_allclose(new, (p + 1e-6 * v, v + 1e-6 * a, a), atol=1e-3)


def fly(
    targets: dict[int, tuple[float, float, float]], duration_s: float = 0.4, ground_m: float = 0.0
) -> list[Foot]:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.1, 0.0, 0.0, ground_m)
    target, path = targets[0], []
    for i in range(round(duration_s / DT)):
        target = targets.get(i, target)
        swing.advance(target, ground_m, i * DT, duration_s, DT)
        copy = Foot(0.05, 0.4, 0.25)
        copy.axes[:] = swing.axes
        path.append(copy)
    return path


@pytest.mark.parametrize(
    "targets", [{0: (0.3, 0.1, 0.2)}, {0: (0.3, 0.1, 0.2), 150: (0.1, 0.2, 0.0), 250: (0.2, 0.0, 0.1)}]
)
def test_touch_down_is_on_target_on_time_and_at_rest(targets: dict[int, tuple[float, float, float]]) -> None:
    end, target = fly(targets)[-1], list(targets.values())[-1]
    assert (end.x[0], end.y[0], end.yaw[0]) == pytest.approx(target, abs=2e-3)
    assert end.z == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert max(abs(end.x[1]), abs(end.y[1])) < 0.05


def test_the_foot_clears_the_ground() -> None:
    heights = [s.z[0] for s in fly({0: (0.3, 0.1, 0.0)})]
    assert max(heights) == pytest.approx(0.05, abs=0.005)
    assert min(heights) > -1e-6


def test_a_hurried_step_stays_low() -> None:
    heights = [s.z[0] for s in fly({0: (0.1, 0.1, 0.0)}, duration_s=0.2)]
    assert 0.005 < max(heights) < 0.02


@pytest.mark.parametrize("from_s", [0.02, 0.05, 0.09, 0.12, 0.15, 0.2])
def test_a_step_shortened_in_flight_lands_at_limited_speed(from_s: float) -> None:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.1, 0.0, 0.0, 0.0)
    duration, heights, accelerations = 0.4, [], []
    for i in range(400):
        t = i * DT
        if t >= duration:
            break
        if t > from_s and duration - t > 0.05:
            duration = max(duration - 6.0 * DT, 0.18, min(duration, t + 0.1))
        swing.advance((0.2, 0.1, 0.0), 0.0, t, duration, DT)
        heights.append(swing.z[0])
        accelerations.append(abs(swing.z[2]))
    assert duration < 0.35
    assert min(heights) > -1e-3
    # From rest to rest over 5 cm in 0.1 s takes 29 m/s2.
    assert max(accelerations) < 35.0
    assert abs(swing.z[1]) < 0.05


def test_a_foot_without_ground_goes_on_down() -> None:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(500):
        swing.advance((0.0, 0.0, 0.0), 0.0, i * DT, 0.4, DT)
    assert swing.z[0] == pytest.approx(-0.25 * 0.1, abs=1e-3)


def test_on_tiptoe_the_heel_rises_first_and_the_sole_lands_level() -> None:
    swing = Foot(0.05, 0.4, 0.25)
    pitches = []
    for i in range(401):
        swing.tiptoe(0.4, i * DT, 0.4)
        pitches.append(swing.pitch[0])
    assert pitches[0] == 0.0 == pitches[-1]
    assert 0.2 < max(pitches) <= 0.4
    swing.tiptoe(-0.2, 0.1, 0.4)
    assert swing.pitch == (0.0, 0.0, 0.0)


def sole_over_edges(rise: float, way: float, edges: dict[float, float]) -> float:
    """Least height of any point of the sole over the edges that it passes: their x and height [m]."""
    half, duration = 0.085, 0.64
    swing = Foot(0.07, duration, 0.25, toe_m=half, edges=True)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    least = np.inf
    for i in range(640):
        swing.advance((way, 0.0, 0.0), rise, i * DT, duration, DT)
        swing.tiptoe(way, i * DT, duration)
        z, pitch = swing.height()[0], swing.pitch[0]
        for along in np.linspace(-half, half, 35):
            x = swing.x[0] + along * np.cos(pitch)
            over = [z - along * np.sin(pitch) - top for edge, top in edges.items() if abs(x - edge) < 0.01]
            least = min([least, *over])
    return least


@pytest.mark.parametrize(
    ("rise", "way", "edges"),
    [
        (0.1, 0.56, {0.14: 0.1}),
        (0.2, 0.56, {0.14: 0.1, 0.42: 0.2}),
        (0.3, 0.56, {0.14: 0.15, 0.42: 0.3}),
        (-0.1, 0.56, {0.42: 0.0}),
        (-0.2, 0.56, {0.14: 0.0, 0.42: -0.1}),
        (-0.24, 0.56, {0.14: 0.0, 0.42: -0.12}),
    ],
)
def test_the_whole_sole_clears_the_edges_of_stairs(
    rise: float, way: float, edges: dict[float, float]
) -> None:
    assert sole_over_edges(rise, way, edges) > 0.01


def test_the_foot_takes_the_tilt_of_the_ground() -> None:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0, (0.1, 0.0))
    for i in range(400):
        swing.advance((0.2, 0.0, 0.0), 0.0, i * DT, 0.4, DT, (-0.1, 0.05))
    assert (swing.nose_down[0], swing.roll[0]) == pytest.approx((-0.1, 0.05), abs=2e-3)


def test_the_toe_does_not_dip_as_the_foot_leaves() -> None:
    toe, swing = 0.08, Foot(0.05, 0.4, 0.25, toe_m=0.08)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(160):
        swing.advance((0.28, 0.0, 0.0), 0.0, i * DT, 0.4, DT)
        swing.tiptoe(0.28, i * DT, 0.4)
        height = swing.height()[0] - toe * np.sin(swing.pitch[0])
        assert height == pytest.approx(swing.z[0], abs=1e-12)
    assert height > 0.04


def test_a_foot_behind_an_edge_draws_back_and_rises_before_it_goes_on() -> None:
    swing, at = Foot(0.05, 0.4, 0.25), 0.02
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    held, path, over = [], [], False
    for i in range(400):
        t = i * DT
        # What holds the foot at `at` is 6 cm high.
        over = over or swing.z[0] > 0.06
        foot = swing.x[0] if over else min(swing.x[0], at)
        if swing.held_back((foot, 0.0, 0.0), 0.0 if foot == at else swing.x[1], 0.0):
            held.append(t)
            swing.climb(foot, 0.0, t, 0.4)
        swing.advance((0.28, 0.0, 0.0), 0.0, t, 0.4, DT)
        path.append((swing.x[0], swing.z[0]))
    assert len(held) == 1
    xs, heights = zip(*path[round(held[0] / DT) :], strict=True)
    assert min(xs) < at - 0.01
    assert next(z for x, z in zip(xs, heights, strict=True) if x > at) > 0.06
    assert swing.x[0] == pytest.approx(0.28, abs=5e-3)
    assert swing.z == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_a_foot_that_lags_but_moves_is_not_held_back() -> None:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(200):
        swing.advance((0.2, 0.2, 0.0), 0.0, i * DT, 0.4, DT)
    x, y = swing.x[0] - 0.05, swing.y[0] - 0.05
    # Velocities are in the heading of the foot, here 1 rad to the left.
    c, s = np.cos(1.0), np.sin(1.0)
    assert not swing.held_back((x, y, 1.0), 0.3 * (c + s), 0.3 * (c - s))
    assert swing.held_back((x, y, 1.0), 0.0, 0.0)
    assert swing.held_back((x, y, 1.0), -0.3 * (c + s), -0.3 * (c - s))
    assert not swing.held_back((swing.x[0], swing.y[0], 1.0), 0.0, 0.0)


def test_only_a_foot_above_its_way_down_has_been_stopped() -> None:
    swing = Foot(0.05, 0.4, 0.25)
    swing.begin(0.0, 0.0, 0.0, 0.0, 0.0)
    for i in range(150):
        swing.advance((0.2, 0.0, 0.0), 0.0, i * DT, 0.4, DT)
    assert not swing.stopped(swing.z[0] + 0.02)
    for i in range(150, 300):
        swing.advance((0.2, 0.0, 0.0), 0.0, i * DT, 0.4, DT)
    assert not swing.stopped(swing.z[0])
    assert swing.stopped(swing.z[0] + 0.01)
