"""The whole controller over logs of a real robot: no false alarm, and faults in the sensors are detected."""

from __future__ import annotations

from functools import cache

import icub_log
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel

pytestmark = [
    pytest.mark.closed_loop,
    pytest.mark.skipif(not icub_log.FOLDER.is_dir(), reason="reference data icub/ is not here"),
]
MOVING_S = 0.05
# Pauses of the recorder during which there is no sample [s].
PAUSE_S = 0.17


@cache
def controller():
    robot = RobotModel.load(icub_log.ROBOT, stands=False)
    gains = load_gains(robot)
    return Brain(robot, gains, FloatingBaseEstimator(robot, gains.estimator))


@cache
def log_of(name, rate):
    return icub_log.Log(controller().robot, name, rate)


def run(log, from_s=np.inf, change=None, until_s=np.inf):
    """Returns time and reason of the stop, or None, and the largest tilt error after from_s [deg]."""
    brain = controller()
    row, stand, worst_deg = brain.robot.new_sensor_row(), make_request(brain.robot, "stand", {}), 0.0
    log.fill(row, 0)
    brain.reset(row)
    for i, t in enumerate(log.t):
        log.fill(row, i)
        if t >= from_s:
            change(t - from_s, row)
        output = brain.step(row, stand, None, lambda stage: None)
        if t >= from_s:
            R_WB = icub_log.orientation(brain.estimator.q)
            worst_deg = max(worst_deg, icub_log.tilt_deg(R_WB, log.R_WB[i]))
        if output.state != "active":
            return (t, output.reason), worst_deg
        if t > until_s:
            break
    return None, worst_deg


@pytest.mark.parametrize("rate", ["native", "held", "interpolated"])
@pytest.mark.parametrize("name", ["walking", "comsin"])
def test_no_watch_stops_a_real_robot(name, rate):
    assert run(log_of(name, rate))[0] is None


@pytest.mark.parametrize(("name", "from_s"), [("walking", 7.5), ("walking", 9.3), ("comsin", 7.5)])
def test_an_encoder_that_freezes_while_its_joint_moves_is_detected(name, from_s):
    log, na = log_of(name, "native"), controller().robot.na
    i, after = np.searchsorted(log.t, [from_s, from_s + 0.3])
    joint = int(np.abs(log.values[after, :na] - log.values[i, :na]).argmax())

    def freeze(t, row):
        if t < 0.3:
            row.q[joint] = log.values[i, joint]

    stop, _ = run(log, from_s, freeze, from_s + 0.4)
    assert stop is not None
    assert (
        stop[1]
        == f"the encoder of {controller().robot.joint_names[joint]} is frozen: its value has stopped changing"
    )
    # The step of the encoder is 1.5 mrad, so that a slow joint takes longer.
    allowed_s = 1.5 * MOVING_S if name == "walking" else MOVING_S + PAUSE_S + 0.05
    assert stop[0] - from_s <= allowed_s


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("walking", 9.3), ("comsin", 7.5)])
@pytest.mark.parametrize("axis", [0, 2])
def test_an_imu_that_turns_by_90_deg_is_detected(name, from_s, axis):
    R = pin.exp3(np.radians(90.0) * np.eye(3)[axis])

    def turn(t, row):
        row.gyro[:], row.accel[:] = R @ row.gyro, R @ row.accel

    stop, worst_deg = run(log_of(name, "native"), from_s, turn, from_s + 1.0)
    assert stop is not None
    assert worst_deg <= 5.0 or stop[0] - from_s <= MOVING_S


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("comsin", 9.3)])
@pytest.mark.parametrize("axis", range(3))
def test_a_step_of_the_gyro_bias_is_detected(name, from_s, axis):
    def drift(t, row):
        row.gyro[axis] += 0.5

    stop, worst_deg = run(log_of(name, "native"), from_s, drift, from_s + 1.0)
    assert stop is not None
    assert worst_deg <= 5.0 or stop[0] - from_s <= MOVING_S


@pytest.mark.parametrize(("name", "from_s"), [("walking", 4.0), ("walking", 9.3), ("comsin", 7.5)])
def test_a_sole_that_slips_by_5_cm_does_not_spoil_the_tilt(name, from_s):
    robot = controller().robot
    model, data = robot.pin_model, robot.pin_model.createData()
    sole = robot.contacts[0].frame_id
    legs = [robot.joint_names.index(f"l_{k}") for k in ("hip_pitch", "hip_roll", "hip_yaw", "knee")]
    legs += [robot.joint_names.index(f"l_ankle_{k}") for k in ("pitch", "roll")]
    slipped, last = np.zeros(6), [0.0]

    def slip(t, row):
        share = min(1.0, t / 0.2)
        q = pin.neutral(model)
        q[7:] = row.q
        pin.framesForwardKinematics(model, data, q)
        goal = data.oMf[sole].copy()
        goal.translation += np.array([0.05 * share**2 * (3.0 - 2.0 * share), 0.0, 0.0])
        before = slipped.copy()
        for _ in range(6):
            x = q.copy()
            x[7 + np.array(legs)] += slipped
            J = pin.computeFrameJacobian(model, data, x, sole, pin.LOCAL)[:, 6 + np.array(legs)]
            pin.framesForwardKinematics(model, data, x)
            slipped[:] += np.linalg.lstsq(J, pin.log6(data.oMf[sole].actInv(goal)).vector, rcond=1e-4)[0]
        row.q[legs] += slipped
        row.v[legs] += (slipped - before) / max(t - last[0], 1e-3)
        last[0] = t

    _, worst_deg = run(log_of(name, "native"), from_s, slip, from_s + 1.0)
    assert worst_deg <= 5.0
