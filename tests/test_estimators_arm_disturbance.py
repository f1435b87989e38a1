import numpy as np
import pytest
from arm_precision import PLANT, circle, payload, run
from bodies import robot

from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.arm import arm_tasks
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.estimators.arm_disturbance import ArmDisturbance
from kilohertz.estimators.config import ArmGains

DT_S = 1e-3


def resting_arm(name="ur5", **config):
    """An arm at rest, its dynamics, and an observer of it."""
    model = robot(name)
    gains = load_gains(model)
    body = whole_body(model, gains, arm_tasks(model, gains), "exact")
    body.update(model.q_nominal.copy(), np.zeros(model.nv))
    settings = ArmGains(**{"torque_delay_s": 0.0, **config})
    return model, body, ArmDisturbance(model, body.arrays.kin, body.solution.vdot, settings)


def held(model, body, disturbance, external, ticks):
    """Holds the arm at rest, while unknown torques act on it; returns the compensation of each tick."""
    told = []
    for _ in range(ticks):
        body.update(model.q_nominal.copy(), np.zeros(model.nv))
        h = body.arrays.kin.h.copy()
        disturbance.update(DT_S)
        np.testing.assert_allclose(body.arrays.kin.h, h + disturbance.compensation_Nm, atol=1e-12)
        told.append(disturbance.compensation_Nm.copy())
        disturbance.sent(h - external, followed=True)
    return np.array(told)


def test_the_estimate_follows_an_unknown_torque_with_the_time_constant_of_its_rate():
    model, body, disturbance = resting_arm(disturbance_per_s=50.0)
    external = np.linspace(-3.0, 3.0, model.na)
    told = held(model, body, disturbance, external, 200)
    np.testing.assert_allclose(told[21], -(1.0 - np.exp(-1.0)) * external, atol=0.1)
    np.testing.assert_allclose(told[-1], -external, atol=0.01)


def test_the_compensation_is_bounded_and_the_estimate_does_not_wind_up():
    model, body, disturbance = resting_arm(largest_compensation=0.01)
    most = 0.01 * model.torque_limit_Nm
    told = held(model, body, disturbance, 0.1 * model.torque_limit_Nm, 2000)
    np.testing.assert_allclose(told[-1], -most)
    told = held(model, body, disturbance, np.zeros(model.na), 200)
    np.testing.assert_allclose(told[-1], 0.0, atol=1e-3)


def test_a_rate_of_zero_compensates_nothing():
    model, body, disturbance = resting_arm(disturbance_per_s=0.0)
    assert not held(model, body, disturbance, np.ones(model.na), 50).any()


def test_a_held_compensation_does_not_cancel_the_force_that_a_hand_exerts():
    model, body, disturbance = resting_arm()
    before = held(model, body, disturbance, np.ones(model.na), 200)[-1]
    disturbance.hold(True)
    np.testing.assert_array_equal(held(model, body, disturbance, -5.0 * np.ones(model.na), 200)[-1], before)
    disturbance.hold(False)
    assert (held(model, body, disturbance, -5.0 * np.ones(model.na), 200)[-1] > 4.9).all()


def test_torques_that_the_drives_do_not_follow_reset_the_estimate():
    model, body, disturbance = resting_arm()
    held(model, body, disturbance, np.ones(model.na), 200)
    disturbance.sent(np.zeros(model.na), followed=False)
    assert not disturbance.unknown_Nm.any()
    assert not disturbance.compensation_Nm.any()


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_a_circle_is_drawn_within_30_micrometres_with_unknown_friction_links_and_payload(name):
    rms_mm, max_mm, _ = run(name, circle(duration_s=3.5), seed=11)
    assert rms_mm < 0.03
    assert max_mm < 0.1
    loaded = circle(duration_s=3.5, events=[payload(name, 3.0)])
    rms_mm, max_mm, _ = run(name, loaded, seed=12, solver="exact")
    assert rms_mm < 0.03
    assert max_mm < 0.1


@pytest.mark.long
@pytest.mark.closed_loop
def test_poor_sensors_and_a_long_delay_leave_the_observer_stable():
    poor = circle(duration_s=3.0, sensors={"noise": "default", "delay_ms": 3}, plant=PLANT)
    rms_mm, _, result = run("panda", poor, seed=3)
    assert result.summary["exit_state"] == "active"
    assert rms_mm < 0.2
