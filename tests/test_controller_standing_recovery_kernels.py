"""How far the capture point is out of the soles is the distance from the hull of their corners."""

import math

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kin_arrays import kin_arrays
from scipy.spatial import ConvexHull

from kilohertz.controller.standing.recovery_kernels import (
    AWAY_X,
    AWAY_Y,
    LEFT_M,
    OUT_M,
    SupportWatch,
    watch_support,
)
from kilohertz.robots.model.gravity import GRAVITY_M_S2

CORNERS = np.array([[0.12, 0.03, 0.0], [0.12, -0.03, 0.0], [-0.05, -0.025, 0.0], [-0.05, 0.025, 0.0]])
FOOT = np.array([0, 0, 0, 0, 1, 1, 1, 1])
HEIGHT_M = 0.7


class Watch:
    """Two feet on the ground, apart by 24 cm and turned, and what is told of a centre of mass over them."""

    def __init__(self, yaw=0.0, toes_out=0.0, ahead=0.0, directions=32, margin_m=0.0):
        turns = [yaw + toes_out, yaw - toes_out]
        self.R = np.array([pin.utils.rotate("z", turn) for turn in turns])
        self.p = np.array([[ahead, 0.12, 0.3], [-ahead, -0.12, 0.3]]) @ pin.utils.rotate("z", yaw).T
        angles = np.linspace(0.0, 2.0 * math.pi, directions, endpoint=False)
        self.fan = np.column_stack([np.cos(angles), np.sin(angles)])
        self.margin_m, self.out = np.array([margin_m]), np.zeros(5)
        corners = [self.p[f] + self.R[f] @ c for f in (0, 1) for c in CORNERS]
        self.hull = ConvexHull(np.array(corners)[:, :2])

    def __call__(self, x, y, v=(0.0, 0.0), dt_s=1e-3):
        p_WC, v_WC = np.array([x, y, 0.3 + HEIGHT_M]), np.array([*v, 0.1])
        corners = np.vstack([CORNERS, CORNERS])
        watch = SupportWatch(corners, FOOT, self.fan, self.margin_m, np.zeros((8, 2)), self.out)
        return watch_support(dt_s, kin_arrays(p=self.p, R=self.R, p_WC=p_WC, v_WC=v_WC), watch)

    def distance_m(self, x, y):
        """From the hull, < 0 inside."""
        return max(self.hull.equations @ [x, y, 1.0])


poses = {"yaw": st.floats(-7.0, 7.0), "toes_out": st.floats(-0.5, 0.5), "ahead": st.floats(-0.2, 0.2)}


@settings(max_examples=40, deadline=None)
@given(**poses, x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3))
def test_inside_the_soles_it_is_the_distance_from_their_nearest_edge(yaw, toes_out, ahead, x, y):
    watch = Watch(yaw, toes_out, ahead, directions=720)
    watch(x, y)
    true = watch.distance_m(x, y)
    if true <= 0.0:
        assert watch.out[OUT_M] == pytest.approx(true, abs=2e-3)


@settings(max_examples=40, deadline=None)
@given(**poses, way=st.floats(0.0, 6.3), far_m=st.floats(0.0, 0.3))
def test_out_of_the_soles_it_is_the_distance_from_them_or_with_few_directions_a_little_less(
    yaw, toes_out, ahead, way, far_m
):
    fine, coarse = Watch(yaw, toes_out, ahead, directions=720), Watch(yaw, toes_out, ahead)
    u = np.array([math.cos(way), math.sin(way)])
    corners = fine.hull.points
    x, y = corners[np.argmax(corners @ u)] + far_m * u  # this far from the hull, along a normal of it
    fine(x, y)
    coarse(x, y)
    assert fine.out[OUT_M] == pytest.approx(far_m, abs=2e-3)
    assert far_m - 0.02 < coarse.out[OUT_M] <= far_m + 1e-12


def test_forward_and_sideways_distances_are_along_the_heading():
    turn = pin.utils.rotate("z", 2.0)[:2, :2]
    for there, way in (([0.3, 0.05], [1.0, 0.0]), ([0.03, -0.4], [0.0, -1.0])):
        watch = Watch(yaw=2.0)
        watch(*(turn @ there))
        np.testing.assert_allclose(watch.out[[AWAY_X, AWAY_Y]], way, atol=1e-12)
        assert watch.out[LEFT_M] == pytest.approx(there[1])


def test_a_velocity_counts_as_the_stopping_distance_of_the_pendulum():
    moving, still = Watch(), Watch()
    moving(0.02, 0.01, v=(0.5, -0.3))
    fall_s = math.sqrt(HEIGHT_M / GRAVITY_M_S2)
    still(0.02 + fall_s * 0.5, 0.01 - fall_s * 0.3)
    np.testing.assert_allclose(moving.out, still.out, atol=1e-12)


def test_time_counts_while_it_is_out_by_more_than_the_margin_and_starts_anew():
    watch = Watch(margin_m=0.02)
    assert watch(0.0, 0.0) == 0.0
    inside, beyond = 0.12 - 0.021, 0.12 - 0.019
    assert watch(inside, 0.0) == 0.0
    assert watch(beyond, 0.0) == pytest.approx(1e-3)
    assert watch(beyond, 0.0, dt_s=2e-3) == pytest.approx(3e-3)
    assert watch(inside, 0.0) == 0.0
