"""Faults that are injected into the logs of the real iCub, and when the controller detects them.

`python tests/icub_faults.py` prints the table of all faults, logs and sampling rates. Each fault is injected at
random times. The log is read once; at each time the process is forked for each fault, so that all of them
start from the same state of the controller.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import icub_log
import numpy as np
import pinocchio as pin

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.inekf_layout import POSITION_SURPRISE
from kilohertz.robots.model.robot_model import RobotModel

MOVING_S, STANDING_S, LARGEST_TILT_DEG = 0.05, 0.5, 5.0
FROZEN_S, SLIPPING_S, SLIP_M, BIAS_RAD_S = 0.3, 0.2, 0.05, 0.5
WATCHED_S = 1.0
SLOW_RAD_S = 0.25
FREEZE, TURN, BIAS, SLIP = "frozen encoder", "IMU turned 90 deg", "gyro bias 0.5 rad/s", "sole slips 5 cm"

Change = Callable[[float, Any], None]


@cache
def controller() -> Brain:
    robot = RobotModel.load(icub_log.ROBOT, stands=False)
    gains = load_gains(robot)
    return Brain(robot, gains, FloatingBaseEstimator(robot, gains.estimator))


@cache
def log_of(name: str, rate: str) -> icub_log.Log:
    return icub_log.Log(controller().robot, name, rate)


@dataclass
class Fault:
    """A fault of one kind on one joint, axis or sole, from one time on."""

    kind: str
    what: int
    sign: float
    from_s: float
    moved_rad: float = 0.0

    def change(self, log: icub_log.Log) -> Change:
        if self.kind == FREEZE:
            return freeze(log, self.what, self.from_s)
        if self.kind == TURN:
            return turn(self.what, self.sign)
        if self.kind == BIAS:
            return bias(self.what, self.sign)
        return Slip(self.what, self.sign).change


def freeze(log: icub_log.Log, joint: int, from_s: float) -> Change:
    held = log.values[np.searchsorted(log.t, from_s), joint]

    def change(t: float, row: Any) -> None:
        if t < FROZEN_S:
            row.q[joint] = held

    return change


def turn(axis: int, sign: float) -> Change:
    R = pin.exp3(np.radians(sign * 90.0) * np.eye(3)[axis])

    def change(t: float, row: Any) -> None:
        row.gyro[:], row.accel[:] = R @ row.gyro, R @ row.accel

    return change


def bias(axis: int, sign: float) -> Change:
    def change(t: float, row: Any) -> None:
        row.gyro[axis] += sign * BIAS_RAD_S

    return change


class Slip:
    """A sole that slips forward or back by 5 cm within 0.2 s: the joints of its leg move as for this."""

    def __init__(self, sole: int, sign: float) -> None:
        robot = controller().robot
        side = "lr"[sole]
        self._sign = sign
        self._model, self._data = robot.pin_model, robot.pin_model.createData()
        self._sole = robot.contacts[sole].frame_id
        legs = [robot.joint_names.index(f"{side}_{k}") for k in ("hip_pitch", "hip_roll", "hip_yaw", "knee")]
        legs += [robot.joint_names.index(f"{side}_ankle_{k}") for k in ("pitch", "roll")]
        self._legs, self._slipped, self._last_s = np.array(legs), np.zeros(6), 0.0

    def change(self, t: float, row: Any) -> None:
        model, data, legs, slipped = self._model, self._data, self._legs, self._slipped
        share = min(1.0, t / SLIPPING_S)
        q = pin.neutral(model)
        q[7:] = row.q
        pin.framesForwardKinematics(model, data, q)
        goal = data.oMf[self._sole].copy()
        goal.translation += np.array([self._sign * SLIP_M * share**2 * (3.0 - 2.0 * share), 0.0, 0.0])
        before = slipped.copy()
        for _ in range(6):
            x = q.copy()
            x[7 + legs] += slipped
            J = pin.computeFrameJacobian(model, data, x, self._sole, pin.LOCAL)[:, 6 + legs]
            pin.framesForwardKinematics(model, data, x)
            slipped[:] += np.linalg.lstsq(J, pin.log6(data.oMf[self._sole].actInv(goal)).vector, rcond=1e-4)[0]
        row.q[legs] += slipped
        row.v[legs] += (slipped - before) / max(t - self._last_s, 1e-3)
        self._last_s = t


@dataclass
class Outcome:
    """What the controller did: time until it stopped [s], why, and the tilt errors [deg] until then."""

    stopped_s: float | None
    reason: str
    worst_deg: float
    slipping_s: float | None = None
    position_error_m: float = 0.0


def watch(log: icub_log.Log, i: int, fault: Fault) -> Outcome:
    """Steps the controller over the log from sample i on, with a fault, until it stops or for WATCHED_S."""
    brain, change = controller(), fault.change(log)
    ekf, robot = brain.estimator.filter, brain.robot
    row, stand = robot.new_sensor_row(), make_request(robot, "stand", {})
    start_s = worst_deg = 0.0
    start_s, slipping_s = log.t[i], None
    gate = brain.estimator.config.slip_gate
    origin = brain.estimator.q[:3] - log.p_WB[i]
    yaw = icub_log.yaw(icub_log.orientation(brain.estimator.q) @ log.R_WB[i].T)
    Rz = pin.rpy.rpyToMatrix(0.0, 0.0, yaw)
    off = 0.0
    for k in range(i, len(log.t)):
        t = log.t[k] - start_s
        log.fill(row, k)
        change(t, row)
        output = brain.step(row, stand, None, lambda stage: None)
        worst_deg = max(worst_deg, icub_log.tilt_deg(icub_log.orientation(brain.estimator.q), log.R_WB[k]))
        off = max(off, np.linalg.norm(brain.estimator.q[:3] - log.p_WB[i] - origin - Rz @ (log.p_WB[k] - log.p_WB[i])))
        if slipping_s is None and (ekf.surprise[:, POSITION_SURPRISE] > gate).any():
            slipping_s = t
        if output.state != "active":
            return Outcome(t, output.reason, worst_deg, slipping_s, off)
        if t > WATCHED_S:
            break
    return Outcome(None, "", worst_deg, slipping_s, off)


def forked(call: Callable[[], Outcome]) -> Outcome:
    """Calls in a copy of this process, whose state stays as it is."""
    get, put = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(put, "w") as file:
                file.write(json.dumps(vars(call()), default=float))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(put)
    with os.fdopen(get) as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0
    return Outcome(**json.loads(text))


def faults_at(log: icub_log.Log, t: float, rng: np.random.Generator, na: int) -> list[Fault]:
    found = []
    times = np.searchsorted(log.t, [t, t + MOVING_S, t + FROZEN_S])
    q = log.values[times, :na]
    first, whole = np.abs(q[1] - q[0]), np.abs(q[2] - q[0])
    moving = np.flatnonzero((first > 0.1 * MOVING_S) & (whole > 0.1 * FROZEN_S))
    for j in rng.permutation(moving)[:3]:
        found.append(Fault(FREEZE, int(j), 1.0, t, float(first[j])))
    for kind in (TURN, BIAS):
        for axis in range(3):
            found.append(Fault(kind, axis, float(rng.choice([-1.0, 1.0])), t))
    loaded = log.values[times[0] : times[2], -2:].min(axis=0) > 80.0
    for sole in np.flatnonzero(loaded):
        found.append(Fault(SLIP, int(sole), float(rng.choice([-1.0, 1.0])), t))
    return found


def run(name: str, rate: str, seed: int, count: int) -> list[tuple[Fault, Outcome]]:
    log, brain = log_of(name, rate), controller()
    rng = np.random.default_rng(seed)
    native = log_of(name, "native").t
    times = np.sort(rng.choice(native[(native > 1.2) & (native < native[-1] - 1.1)], count, replace=False))
    plan = {int(np.searchsorted(log.t, t)): faults_at(log_of(name, "native"), t, rng, brain.robot.na) for t in times}
    row, stand = brain.robot.new_sensor_row(), make_request(brain.robot, "stand", {})
    log.fill(row, 0)
    brain.reset(row)
    results = []
    for i in range(len(log.t)):
        for fault in plan.get(i, []):
            results.append((fault, forked(lambda fault=fault: watch(log, i, fault))))
        log.fill(row, i)
        output = brain.step(row, stand, None, lambda stage: None)
        assert output.state == "active", f"false alarm at {log.t[i]} s: {output.reason}"
    return results


if __name__ == "__main__":
    import pickle

    seed, count, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for name in ("walking", "comsin"):
        for rate in sys.argv[4:]:
            results = run(name, rate, seed, count)
            with open(f"{out}-{name}-{rate}.pkl", "wb") as file:
                pickle.dump([(vars(f), vars(o)) for f, o in results], file)
            print(name, rate, len(results), flush=True)
