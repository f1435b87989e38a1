from __future__ import annotations

import json

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.walking.gait import gait_of
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.live.gains_effective import effective_gains, scaled_gains


@pytest.mark.parametrize("name", ["g1", "bolt", "panda", "ur5"])
def test_no_value_is_open(name):
    model = robot(name)
    text = json.dumps([effective_gains(model, Gains()), scaled_gains(model, Gains())], allow_nan=False)
    assert "null" not in text


def test_values_that_follow_from_the_size_are_those_of_the_gait():
    model = robot("g1")
    gains = load_gains(model)
    walk, gait = effective_gains(model, gains)["walk"], gait_of(model, gains)
    for key in ("step_s", "shortest_step_s", "width_m", "clearance_m"):
        assert walk[key] == getattr(gait, key)
    given = gains.model_copy(update={"walk": gains.walk.model_copy(update={"step_s": 0.7})})
    assert effective_gains(model, given)["walk"]["step_s"] == 0.7


def test_effective_gains_are_valid_gains_and_change_nothing():
    model = robot("g1")
    gains = load_gains(model)
    again = Gains.model_validate(effective_gains(model, gains))
    assert gait_of(model, again) == gait_of(model, gains)
    assert again.com == gains.com


def test_an_arm_has_no_gains_of_legs():
    found = effective_gains(robot("panda"), Gains())
    kept = {
        "solver", "posture", "hand", "stream", "limits", "inequalities", "guard", "estimator", "collision",
    }  # fmt: skip
    assert set(found) == kept


def test_forces_and_torques_are_in_si_units():
    model = robot("g1")
    scaled = scaled_gains(model, Gains())
    assert scaled["contact.least_load_N"] == pytest.approx(0.02 * model.mass_kg * GRAVITY_M_S2)
    rates = scaled["guard.torque_rate_Nm_per_s"]
    np.testing.assert_allclose(list(rates.values()), 100.0 * model.torque_limit_Nm)
    assert list(rates) == list(model.joint_names)
