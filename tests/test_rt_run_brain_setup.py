"""The estimator that a scenario asks for, and a warm-up that leaves no trace in the state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.fixed_base import FixedBaseEstimator
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.brain_setup import estimator_for, estimator_of, no_mark, warm_up
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.truth import TruthEstimator


def test_the_estimator_is_that_of_the_base() -> None:
    assert isinstance(estimator_of(robot("g1"), Gains()), FloatingBaseEstimator)
    assert isinstance(estimator_of(robot("panda"), Gains()), FixedBaseEstimator)


def test_the_truth_is_given_where_it_is_asked_for_and_known() -> None:
    panda = robot("panda")
    stand = load_scenario("stand", panda)
    asks = stand.model_copy(update={"estimator": "truth"})
    truth = SimulatedRobot(panda, stand).truth
    assert isinstance(estimator_for(stand, panda, Gains(), truth), FixedBaseEstimator)
    assert isinstance(estimator_for(asks, panda, Gains(), truth), TruthEstimator)
    unknown: Any = SimpleNamespace(known=False)
    with pytest.raises(ConfigError, match="asks for the truth, which this robot does not know"):
        estimator_for(asks, panda, Gains(), unknown)


def test_after_a_warm_up_the_brain_is_where_it_was() -> None:
    panda = robot("panda")
    sensors = panda.new_sensor_row()
    SimulatedRobot(panda, load_scenario("stand", panda)).read(sensors)
    brain = Brain(panda, Gains(), estimator_of(panda, Gains()))
    request = make_request(panda, "reach", {"hand": "hand", "offset_m": (0.0, 0.1, 0.0)})
    warm_up(brain, sensors, request, Gains())
    np.testing.assert_array_equal(brain.estimator.q, sensors.q)
    assert brain.output.state == "armed"
    first = brain.step(sensors, request, Gains(), no_mark).p_WH_des.copy()
    for _ in range(100):
        brain.step(sensors, request, Gains(), no_mark)
    assert np.abs(brain.output.p_WH_des - first).max() > 1e-4
