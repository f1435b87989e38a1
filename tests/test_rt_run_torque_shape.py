"""Steady torque errors with the shape of gravity or of a sign are named, and others are not."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.torque_shape import EVERY_TICKS, SAMPLES, TorqueShape, sign_problem, torque_problem

UR5, G1 = RobotModel.load("ur5"), RobotModel.load("g1")
Q = UR5.q_nominal
GRAVITY = pin.computeGeneralizedGravity(UR5.pin_model, UR5.pin_model.createData(), Q).copy()
PAYLOAD = np.array([0.0, -9.0, -6.0, -1.0, 0.0, 0.0])


def noise(seed=0, size=0.5):
    return size * np.random.default_rng(seed).normal(size=UR5.na)


def told(measured, commanded, adds_gravity=False):
    return torque_problem(UR5, Q, measured + noise(1), commanded + noise(2), adds_gravity=adds_gravity)


@pytest.mark.parametrize(
    ("measured", "commanded", "adds_gravity", "words"),
    [
        (1.0, 0.0, False, "as if the robot added them itself: set `adds_gravity: true` in driver.yaml"),
        (1.0, 0.0, True, "as if the robot added them twice"),
        (1.0, 2.0, True, "the robot did not add them: set `adds_gravity: false` in driver.yaml"),
        (1.0, 2.0, False, "as if the robot subtracted them"),
        (0.0, 1.0, False, "the measured joint torques lack those of gravity"),
        (2.0, 1.0, False, "the measured joint torques exceed the commanded ones by those of gravity"),
        (-1.0, 1.0, False, "all measured joint torques are the opposite of the commanded ones"),
    ],
)
def test_an_error_of_gravitys_shape_is_named_with_its_remedy(measured, commanded, adds_gravity, words):
    assert words in told(measured * GRAVITY, commanded * GRAVITY, adds_gravity)


@pytest.mark.parametrize(
    ("measured", "commanded"),
    [
        (GRAVITY, GRAVITY),
        (GRAVITY + PAYLOAD, GRAVITY + PAYLOAD),
        (1.1 * GRAVITY, 0.9 * GRAVITY),
        (np.full(6, np.nan), GRAVITY),
        (np.zeros(6), GRAVITY),
        (GRAVITY + np.array([0.0, 8.0, -8.0, 2.0, 0.0, 0.0]), GRAVITY),
    ],
)
def test_other_torques_are_not(measured, commanded):
    assert torque_problem(UR5, Q, measured, commanded, adds_gravity=False) == ""


def test_one_joint_with_a_wrong_sign_is_named():
    measured = GRAVITY.copy()
    measured[2] = -measured[2]
    assert "torque of elbow_joint is the opposite" in told(measured, GRAVITY)


def test_a_robot_on_its_feet_is_judged_by_the_commanded_torques():
    commanded = np.zeros(G1.na)
    knee = G1.joint_names.index("left_knee_joint")
    commanded[knee], commanded[knee - 3] = 40.0, -20.0
    measured = commanded.copy()
    assert torque_problem(G1, G1.q_nominal[7:], measured, commanded, adds_gravity=False) == ""
    measured[knee] = -38.0
    assert "left_knee_joint is the opposite" in sign_problem(G1, measured, commanded)


def shape_of(motion_rad_s=0.0, active=True, ticks=EVERY_TICKS * (SAMPLES + 5)):
    shape, row = TorqueShape(UR5, adds_gravity=False), UR5.new_sensor_row()
    row.tau[:] = GRAVITY
    for tick in range(ticks):
        row.q[:] = Q + motion_rad_s * 1e-3 * tick
        shape.add(row, 0.0 * GRAVITY, active, 1e-3 * tick)
    return shape.events


def test_a_robot_that_rests_is_judged_once():
    (event,) = shape_of()
    assert event["kind"] == "remark"
    assert event["t_s"] == pytest.approx(1e-3 * EVERY_TICKS * SAMPLES, abs=1e-3 * EVERY_TICKS)
    assert "adds_gravity: true" in event["text"]


@pytest.mark.parametrize(
    "motion", [{"motion_rad_s": 0.05}, {"active": False}, {"ticks": EVERY_TICKS * (SAMPLES - 1)}]
)
def test_a_robot_that_moves_or_is_not_controlled_is_not_judged(motion):
    assert shape_of(**motion) == []
