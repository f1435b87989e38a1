"""The whole controller over logs of a real robot: no false alarm, and faults in the sensors are detected."""

from __future__ import annotations

import icub_faults
import icub_log
import numpy as np
import pytest
from icub_faults import BIAS, FREEZE, MOVING_S, SLIP, TURN, Fault, controller, log_of

from kilohertz.controller.supervision.request import make_request

pytestmark = [
    pytest.mark.closed_loop,
    pytest.mark.skipif(not icub_log.FOLDER.is_dir(), reason="reference data icub/ is not here"),
]


def outcome(name, rate, fault):
    """Runs the controller over a log up to a fault, and returns what happened after it."""
    log, brain = log_of(name, rate), controller()
    row, stand = brain.robot.new_sensor_row(), make_request(brain.robot, "stand", {})
    first = int(np.searchsorted(log.t, fault.from_s))
    log.fill(row, 0)
    brain.reset(row)
    for i in range(first):
        log.fill(row, i)
        assert brain.step(row, stand, None, lambda stage: None).state == "active"
    return icub_faults.watch(log, first, fault)


@pytest.mark.long
@pytest.mark.parametrize("rate", icub_faults.RATES)
@pytest.mark.parametrize("name", icub_faults.NAMES)
def test_no_watch_stops_a_real_robot(name, rate):
    brain, log = controller(), log_of(name, rate)
    row, stand = brain.robot.new_sensor_row(), make_request(brain.robot, "stand", {})
    log.fill(row, 0)
    brain.reset(row)
    for i in range(len(log.t)):
        log.fill(row, i)
        output = brain.step(row, stand, None, lambda stage: None)
        assert output.state == "active", f"at {log.t[i]} s: {output.reason}"


@pytest.mark.long
# The joints of the second log move at 0.24 rad/s at most, and steps of the encoders are 1.5 mrad.
@pytest.mark.parametrize("rate", icub_faults.RATES)
@pytest.mark.parametrize(
    ("name", "from_s"),
    [("walking", 7.5), ("walking", 9.3), ("comsin", 10.15), ("comsin", 13.05), ("comsin", 17.6)],
)
def test_an_encoder_that_freezes_while_its_joint_moves_is_detected(name, from_s, rate):
    log, na = log_of(name, "native"), controller().robot.na
    i, after = np.searchsorted(log.t, [from_s, from_s + MOVING_S])
    joint = int(np.abs(log.values[after, :na] - log.values[i, :na]).argmax())
    found = outcome(name, rate, Fault(FREEZE, joint, 1.0, log.t[i]))
    frozen = controller().robot.joint_names[joint]
    assert found.reason == f"the encoder of {frozen} is frozen: its value has stopped changing"
    assert found.in_time(FREEZE)


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("walking", 9.3), ("comsin", 9.5)])
@pytest.mark.parametrize("axis", range(3))
def test_an_imu_that_turns_by_90_deg_is_detected(name, from_s, axis):
    assert outcome(name, "native", Fault(TURN, axis, 1.0, from_s)).in_time(TURN)


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("walking", 8.9), ("comsin", 9.3)])
@pytest.mark.parametrize("axis", range(3))
def test_a_step_of_the_gyro_bias_is_detected(name, from_s, axis):
    assert outcome(name, "native", Fault(BIAS, axis, 1.0, from_s)).in_time(BIAS)


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("walking", 9.3), ("comsin", 9.5)])
def test_a_sole_that_slips_by_5_cm_does_not_spoil_the_tilt_and_is_seen_by_the_filter(name, from_s):
    found = outcome(name, "native", Fault(SLIP, 0, 1.0, from_s))
    assert found.in_time(SLIP)
    assert found.flagged_s is not None or found.stopped_s is not None
    assert found.off_m < 0.08
