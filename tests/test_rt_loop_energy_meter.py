from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.loop.energy_meter import LONGEST_S, EnergyMeter

NUMBER = st.floats(-100.0, 100.0)


def meter_of(samples, copper=(0.5, 0.25)):
    meter = EnergyMeter(np.array(copper))
    for t_s, tau, v in samples:
        meter.add(t_s, np.array(tau, float), np.array(v, float))
    return meter


def test_a_constant_power_over_a_second_is_its_work():
    t_s = np.linspace(0.0, 1.0, 101)
    meter = meter_of([(t, (10.0, 0.0), (3.0, 0.0)) for t in t_s])
    assert meter.mechanical_J == pytest.approx(30.0)
    assert meter.electrical_J == pytest.approx(30.0 + 0.5 * 10.0**2)


def test_a_motor_that_holds_a_load_still_does_no_work_and_heats_its_windings():
    meter = meter_of([(0.0, (10.0, 4.0), (0.0, 0.0)), (0.1, (10.0, 4.0), (0.0, 0.0))])
    assert meter.mechanical_J == 0.0
    assert meter.electrical_J == pytest.approx(0.1 * (0.5 * 100.0 + 0.25 * 16.0))


def test_a_braking_motor_returns_nothing():
    meter = meter_of([(0.0, (0.0, 0.0), (0.0, 0.0)), (0.1, (-5.0, 5.0), (2.0, 2.0))], copper=(0.0, 0.0))
    assert meter.mechanical_J == meter.electrical_J == pytest.approx(1.0)


def test_without_motor_constants_the_electrical_energy_is_unknown_and_the_work_is_not():
    meter = meter_of([(0.0, (0.0, 0.0), (0.0, 0.0)), (0.1, (5.0, 5.0), (2.0, 2.0))], copper=(0.5, math.nan))
    assert meter.mechanical_J == pytest.approx(2.0)
    assert math.isnan(meter.electrical_J)


def test_a_gap_in_the_samples_counts_for_a_bounded_time():
    meter = meter_of([(0.0, (0.0, 0.0), (0.0, 0.0)), (60.0, (1.0, 0.0), (1.0, 0.0))])
    assert meter.mechanical_J == pytest.approx(LONGEST_S)


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), max_size=20))
def test_energy_never_falls_and_the_electrical_is_never_below_the_mechanical(samples):
    meter, before = EnergyMeter(np.array([0.5, 0.25])), 0.0
    for i, (a, b, c, d) in enumerate(samples):
        meter.add(0.01 * i, np.array([a, b]), np.array([c, d]))
        assert meter.mechanical_J >= before
        assert meter.electrical_J >= meter.mechanical_J
        before = meter.mechanical_J
