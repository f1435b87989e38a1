import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.behaviours.calibrate import Calibrate
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.arm import Arm, arm_tasks
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.whole_body.from_gains import whole_body


def calibrating_arm(**parameters):
    """An arm that has just been asked to calibrate, and its whole-body controller."""
    model = robot("panda")
    gains = load_gains(model)
    body = whole_body(model, gains, arm_tasks(model, gains), "exact")
    arm = Arm(model, gains, body)
    body.update(model.q_nominal.copy(), np.zeros(model.nv))
    arm.start()
    arm.take(make_request(model, "calibrate", parameters))
    return model, body, arm


def test_all_joints_swing_within_the_amplitude_and_their_limits_and_come_back():
    model, body, arm = calibrating_arm(amplitude_rad=0.2, duration_s=4.0)
    told = []
    for _ in range(3999):
        arm.advance(1e-3)
        told.append(body.reference("posture")[: model.na].copy())
    off = np.array(told) - model.q_nominal
    assert (np.abs(off).max(axis=0) > 0.02).all()
    assert (np.abs(off) <= 0.2 + 1e-12).all()
    assert (np.array(told) < model.position_upper_rad).all()
    assert np.abs(np.diff(off, axis=0)).max() < 1e-3 * model.velocity_limit_rad_s.max()
    np.testing.assert_allclose(off[-1], 0.0, atol=1e-3)
    assert arm.behaviour_state == "running"
    for _ in range(3):
        arm.advance(1e-3)
    assert arm.behaviour_state == "done"
    assert arm.hand_load.calibrated


def test_another_request_ends_the_calibration_without_a_result():
    model, _, arm = calibrating_arm()
    for _ in range(100):
        arm.advance(1e-3)
    arm.take(make_request(model, "stand", {}))
    assert arm.behaviour == "stand"
    assert not arm.hand_load.calibrated


def test_a_robot_on_legs_is_refused():
    with pytest.raises(BehaviourError, match="one hand"):
        Calibrate.check(robot("g1"), Calibrate.Parameters())
