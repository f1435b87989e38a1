"""Recognises a steady error of the joint torques that has the shape of gravity, or of a wrong sign.

A driver that adds gravity torques once too often, or not at all, does not stop an arm: the arm rests beside
its reference, or its torques are reported wrongly. While the robot rests, the torques that hold it are known,
so that such an error can be named. Everything here runs after a tick, and only for robots that know no true
state.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import SensorRow, Vector

EVERY_TICKS, SAMPLES = 50, 30
"""Interval of the samples in ticks, and number of samples in a row in which the robot must rest."""
STILL_RAD_S, STILL_RAD = 0.3, 0.01
REMARK = "remark"
_NONE, _TWICE, _ONCE = (-0.25, 0.3), (1.7, 2.3), (0.75, 1.25)
_OPPOSITE = 0.3
"""Largest difference from the opposite of a torque, as a share of it, at which the sign counts as wrong."""
_FIT = 0.95
"""Share of a torque error that its shape must explain."""
_TELLING = 0.03
"""Share of its limit above which the holding torque of a joint is certainly more than friction."""


class TorqueShape:
    """Collects samples of a robot at rest, and judges their mean once.

    Args:
        robot: model of the robot.
        adds_gravity: whether driver.yaml says that the robot adds gravity torques.

    Attributes:
        events: what was found, as events of the run: dicts of t_s [s], kind and text.
    """

    def __init__(self, robot: RobotModel, *, adds_gravity: bool) -> None:
        self._robot, self._adds_gravity = robot, adds_gravity
        self.events: list[dict[str, Any]] = []
        self._tick = 0
        self._rows = np.zeros((SAMPLES, 3, robot.na))
        self._count = 0
        self._done = False

    def add(self, sensors: SensorRow, tau: Vector, active: bool, t_s: float) -> None:
        """Takes in one tick; judges the samples when the robot has rested for long enough.

        Args:
            sensors: measured values.
            tau: (na,) commanded torques, gravity included [Nm].
            active: whether the controller moves the robot.
            t_s: time since the start of the run [s].
        """
        self._tick += 1
        if self._done or self._tick % EVERY_TICKS:
            return
        row = self._rows[self._count % SAMPLES]
        row[0], row[1], row[2] = sensors.q, sensors.tau, tau
        rests = active and float(np.abs(sensors.v).max()) < STILL_RAD_S
        self._count = self._count + 1 if rests else 0
        if self._count < SAMPLES or float(np.ptp(self._rows[:, 0], axis=0).max()) > STILL_RAD:
            return
        self._done = True
        q, measured, commanded = self._rows.mean(axis=0)
        text = torque_problem(self._robot, q, measured, commanded, adds_gravity=self._adds_gravity)
        if text:
            self.events.append({"t_s": t_s, "kind": REMARK, "text": text})


def torque_problem(
    robot: RobotModel, q: Vector, measured: Vector, commanded: Vector, *, adds_gravity: bool
) -> str:
    """Returns one sentence about torques with a wrong sign or with gravity's shape; empty without any.

    Args:
        robot: model of the robot, which rests.
        q: (na,) joint positions [rad].
        measured: (na,) measured joint torques; NaN for an unknown one [Nm].
        commanded: (na,) commanded joint torques, gravity included [Nm].
        adds_gravity: whether driver.yaml says that the robot adds gravity torques.
    """
    if not robot.floating:
        data = robot.pin_model.createData()
        gravity = pin.computeGeneralizedGravity(robot.pin_model, data, q)
        text = _command_problem(robot, commanded, gravity, adds_gravity)
        text = text or _measurement_problem(robot, measured, commanded, gravity)
        if text:
            return text
    return sign_problem(robot, measured, commanded)


def _command_problem(robot: RobotModel, commanded: Vector, gravity: Vector, adds_gravity: bool) -> str:
    told = np.abs(gravity) > _TELLING * robot.torque_limit_Nm
    share = _share(commanded[told], gravity[told], 1.0)
    if np.count_nonzero(told) < 2 or math.isnan(share):
        return ""
    what = f"at rest the commanded joint torques are {share:.2f} times those of gravity"
    if _NONE[0] < share < _NONE[1]:
        remedy = (
            "the robot added them twice"
            if adds_gravity
            else "the robot added them itself: set `adds_gravity: true` in driver.yaml"
        )
        return f"{what}, as if {remedy}"
    if _TWICE[0] < share < _TWICE[1]:
        remedy = (
            "the robot did not add them: set `adds_gravity: false` in driver.yaml"
            if adds_gravity
            else "the robot subtracted them, or masses were missing in the model"
        )
        return f"{what}, as if {remedy}"
    return ""


def _measurement_problem(robot: RobotModel, measured: Vector, commanded: Vector, gravity: Vector) -> str:
    told = (np.abs(gravity) > _TELLING * robot.torque_limit_Nm) & np.isfinite(measured)
    # Torques that are exactly 0 are those of motors that measure none.
    if np.count_nonzero(told) < 2 or not measured[told].any():
        return ""
    extra = _share((measured - commanded)[told], gravity[told], 0.0)
    if _ONCE[0] < extra < _ONCE[1]:
        return (
            "at rest the measured joint torques exceed the commanded ones by those of gravity: `tau` must "
            "contain gravity once"
        )
    if -_ONCE[1] < extra < -_ONCE[0]:
        return (
            "at rest the measured joint torques lack those of gravity: `tau` must be the whole torque of the "
            "motors, also where the robot adds gravity torques itself"
        )
    return ""


def _share(torque: Vector, gravity: Vector, usual: float) -> float:
    """Returns the multiple of gravity's torques that a torque is; NaN if it has another shape.

    Args:
        torque: (n,) torque of each joint that gravity loads [Nm].
        gravity: (n,) torque that holds each joint against gravity [Nm].
        usual: the multiple that is expected; what differs from it must have gravity's shape.
    """
    size = float(gravity @ gravity)
    if size == 0.0:
        return math.nan
    share = float(torque @ gravity) / size
    off = torque - usual * gravity
    rest = torque - share * gravity
    return share if float(rest @ rest) <= (1.0 - _FIT) * float(off @ off) else math.nan


def sign_problem(robot: RobotModel, measured: Vector, expected: Vector) -> str:
    """Returns one sentence about torques that have the opposite sign of the expected ones; empty without any.

    Args:
        robot: model of the robot.
        measured: (na,) measured joint torques [Nm].
        expected: (na,) torques that hold the robot [Nm].
    """
    telling = (np.abs(expected) > _TELLING * robot.torque_limit_Nm) & np.isfinite(measured)
    turned = telling & (np.abs(measured + expected) < _OPPOSITE * np.abs(expected))
    names = [robot.joint_names[i] for i in np.flatnonzero(turned)]
    if not names:
        return ""
    together = float(np.linalg.norm((measured + expected)[telling]))
    if len(names) > 1 and together < _OPPOSITE * float(np.linalg.norm(expected[telling])):
        return (
            "at rest all measured joint torques are the opposite of the commanded ones: `tau` is the torque "
            "of the motors on the joints, not that of the load"
        )
    return (
        f"at rest the measured torque of {', '.join(names)} is the opposite of the commanded one: "
        "check the sign of its torque"
    )
