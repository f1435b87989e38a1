"""The observer finds a constant wrench, and a hanging mass is read off it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.estimators.disturbance import OBSERVER, SCALES, observe_disturbance, weigh_steady
from kilohertz.robots.model.gravity import GRAVITY_M_S2

MASS_KG = 30.0
DT_S = 1e-3


class Observer:
    def __init__(self, rate):
        self._rate = rate
        self._memory, self.wrench = np.zeros(OBSERVER), np.zeros(6)

    def update(self, velocity, contact_force, contact_moment):
        observe_disturbance(
            MASS_KG * velocity,
            np.zeros(3),
            contact_force,
            contact_moment,
            MASS_KG * GRAVITY_M_S2,
            self._rate,
            DT_S,
            self._memory,
            self.wrench,
        )


class Scales:
    def __init__(self, settle_s, tare_s=math.inf):
        self._settle_s, self._tare_s = settle_s, tare_s
        self._scales, self.raw, self.mass_kg = np.zeros(SCALES), np.zeros(3), 0.0

    def update(self, force, moment_x, moment_y, empty):
        times = self._settle_s, self._tare_s
        self.mass_kg = weigh_steady(
            force, moment_x, moment_y, 0.01, empty, MASS_KG, 0.02 * MASS_KG, *times, self._scales, self.raw
        )


def observe(force, moment, seconds=3.0, rate=5.0):
    """A body that stands still under contacts that balance its weight and the disturbance."""
    observer = Observer(rate)
    contact_force = np.array([0.0, 0.0, MASS_KG * GRAVITY_M_S2]) - force
    for _ in range(round(seconds / DT_S)):
        observer.update(np.zeros(3), contact_force, -moment)
    return observer


@settings(deadline=None)
@given(
    st.tuples(*[st.floats(-200, 200)] * 3).map(np.array), st.tuples(*[st.floats(-50, 50)] * 3).map(np.array)
)
def test_a_constant_wrench_is_found(force, moment):
    observer = observe(force, moment)
    np.testing.assert_allclose(observer.wrench[:3], force, atol=1e-3 * (1.0 + np.abs(force).max()))
    np.testing.assert_allclose(observer.wrench[3:], moment, atol=1e-3 * (1.0 + np.abs(moment).max()))


def test_it_follows_with_its_time_constant():
    force = np.array([10.0, 0.0, 0.0])
    after_one = observe(force, np.zeros(3), seconds=0.2, rate=5.0)
    assert after_one.wrench[0] == pytest.approx(10.0 * (1.0 - math.exp(-1.0)), rel=0.01)


def test_free_fall_is_no_disturbance():
    observer = Observer(5.0)
    velocity = np.zeros(3)
    for _ in range(1000):
        observer.update(velocity, np.zeros(3), np.zeros(3))
        velocity[2] -= GRAVITY_M_S2 * DT_S
    np.testing.assert_allclose(observer.wrench[:3], 0.0, atol=0.05)


def weigh(payload, mass_kg, p=(0.0, 0.0), seconds=1.0, empty=True):
    """Lets a mass hang for a while."""
    weight = np.array([0.0, 0.0, -mass_kg * GRAVITY_M_S2])
    moment = np.cross(np.array([*p, 0.3]), weight)
    for _ in range(round(seconds / 0.01)):
        payload.update(weight[2], moment[0], moment[1], empty)


@settings(deadline=None)
@given(st.floats(1.0, 20.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_the_mass_of_a_hanging_load_is_estimated(mass_kg, x, y):
    payload = Scales(settle_s=0.5)
    weigh(payload, mass_kg, (x, y))
    assert payload.mass_kg == payload.raw[0] == pytest.approx(mass_kg, rel=1e-6)
    np.testing.assert_allclose(payload.raw[1:], [mass_kg * x, mass_kg * y], atol=1e-5)


def test_less_than_friction_is_no_payload():
    payload = Scales(settle_s=0.5)
    weigh(payload, 0.005 * MASS_KG, (0.2, 0.1))
    assert payload.mass_kg == 0.0


def test_an_added_load_is_detected_at_once_and_then_averaged():
    payload = Scales(settle_s=2.0)
    weigh(payload, 0.0, seconds=5.0)
    weigh(payload, 5.0, seconds=0.2)
    assert payload.mass_kg == pytest.approx(5.0, rel=0.1)
    weigh(payload, 5.0, seconds=1.0)
    assert payload.mass_kg == pytest.approx(5.0, rel=0.05)
    weigh(payload, 5.0 + 0.03 * MASS_KG, seconds=0.2)  # within what steps make it waver
    assert payload.mass_kg == pytest.approx(5.0, rel=0.1)


def test_only_an_unloaded_robot_is_tared():
    off_kg = 0.01 * MASS_KG
    tared = Scales(settle_s=0.2, tare_s=1.0)
    weigh(tared, off_kg, seconds=6.0)
    weigh(tared, off_kg + 3.0, seconds=2.0)
    assert tared.mass_kg == pytest.approx(3.0, rel=0.01)
    loaded = Scales(settle_s=0.2, tare_s=1.0)
    weigh(loaded, off_kg + 3.0, seconds=6.0)
    assert loaded.mass_kg == pytest.approx(3.0 + off_kg, rel=0.01)
    held = Scales(settle_s=0.2, tare_s=1.0)
    weigh(held, off_kg, seconds=6.0, empty=False)
    assert held.raw[0] == pytest.approx(off_kg, rel=0.01)
