"""`Estimator`: the states of the estimator in the controller, and one sentence for what cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kilohertz as khz

pytestmark = pytest.mark.closed_loop


def at_rest(source: khz.Estimator | khz.Controller) -> khz.Sensors:
    sensors, robot = source.sensors(), source.robot
    q = robot.q_nominal[7:]
    sensors.t_s, sensors.q, sensors.v, sensors.tau = 0.0, q, 0.0 * q, 0.0 * q
    sensors.gyro, sensors.accel = [0.0, 0.0, 0.0], [0.0, 0.0, 9.81]
    sensors.contact_force_N = np.full(2, robot.mass_kg * 9.81 / 2.0)
    return sensors


def test_it_estimates_what_the_controller_does() -> None:
    estimator, controller = khz.Estimator("g1"), khz.Controller("g1")
    sensors, others = at_rest(estimator), at_rest(controller)
    estimator.reset(sensors)
    controller.reset(others)
    rng = np.random.default_rng(0)
    for tick in range(1, 60):
        sensors.t_s = others.t_s = 1e-3 * tick
        sensors.gyro = others.gyro = 0.01 * rng.standard_normal(3)
        estimator.update(sensors)
        controller.step(others)
    np.testing.assert_allclose(estimator.q, controller.q, atol=1e-6)
    np.testing.assert_allclose(estimator.v, controller.v, atol=1e-4)
    assert estimator.contact.all()
    assert estimator.doubt < 1.0


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("t_s", 0.0, "sensors.t_s is 0 after 0: it should increase"),
        ("gyro", [0.0, np.nan, 0.0], "sensors.gyro is not finite: fill it, or leave this sample out"),
    ],
)
def test_a_sample_that_cannot_be_used_is_refused(field: str, value: Any, sentence: str) -> None:
    estimator = khz.Estimator("g1")
    sensors = at_rest(estimator)
    with pytest.raises(RuntimeError, match="call reset"):
        estimator.update(sensors)
    sensors.tau = np.full(estimator.robot.na, np.nan)
    estimator.reset(sensors)
    sensors.t_s = 1e-3
    setattr(sensors, field, value)
    with pytest.raises(khz.Refused) as refused:
        estimator.update(sensors)
    assert str(refused.value) == sentence


def test_an_arm_has_no_contacts_and_no_pose_from_outside() -> None:
    estimator = khz.Estimator("ur5e")
    sensors, q = estimator.sensors(), estimator.robot.q_nominal
    sensors.t_s, sensors.q, sensors.v = 0.0, q, 0.0 * q
    estimator.reset(sensors)
    for tick in range(1, 400):
        sensors.t_s, sensors.q, sensors.v = 2e-3 * tick, q + 1e-3 * tick, 0.0 * q + 0.5
        estimator.update(sensors)
    np.testing.assert_allclose(estimator.v, 0.5, atol=5e-3)
    np.testing.assert_allclose(estimator.q, q + 0.399, atol=2e-3)
    sensors.t_s += 2e-3
    with pytest.raises(khz.Refused, match="planned_contact should have shape"):
        estimator.update(sensors, planned_contact=[True])
    with pytest.raises(khz.Refused, match="no outside_pose"):
        estimator.update(sensors, outside_pose=khz.OutsidePose(p_VB=[0.0, 0.0, 0.0]))
