"""Faults that are injected into the logs of the real iCub, and when the controller detects them.

`python tests/icub_faults.py SEED TIMES` prints the table of all faults, logs and sampling rates, with each
fault at so many random times. A log is read once; at each time the process is forked for each fault, so that
all of them start from the same state of the controller.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
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

NAMES, RATES = ("walking", "comsin"), ("native", "held", "interpolated")
MOVING_S, LARGEST_TILT_DEG = 0.05, 5.0
FROZEN_S, SLIPPING_S, SLIP_M, BIAS_RAD_S = 0.3, 0.2, 0.05, 0.5
# The recorder of one log pauses every 0.2 s in these times: nothing can be detected within 50 ms.
PAUSES_S = {"walking": (0.0, 0.0), "comsin": (2.2, 9.1)}
# Time for which a fault is watched [s], and the mean speed from which a joint moves, or moves fast [rad/s].
WATCHED_S, MOVING_RAD_S, FAST_RAD_S = 1.0, 0.1, 0.4
# Least speed of a joint that does not turn around before its frozen encoder must be detected [rad/s].
STEADY_RAD_S = 0.05
# Least force of a sole that slips [N].
LOADED_N = 80.0
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
    speed_rad_s: float = 0.0
    steady: bool = True

    @property
    def label(self) -> str:
        if self.kind == FREEZE:
            speed = "fast" if self.speed_rad_s >= FAST_RAD_S else "slow"
            return f"{self.kind}, {speed}" if self.steady else f"{self.kind}, turning"
        return self.kind if self.kind == SLIP else f"{self.kind}, {'xyz'[self.what]}"

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
            error = pin.log6(data.oMf[self._sole].actInv(goal)).vector
            slipped[:] += np.linalg.lstsq(J, error, rcond=1e-4)[0]
        row.q[legs] += slipped
        row.v[legs] += (slipped - before) / max(t - self._last_s, 1e-3)
        self._last_s = t


@dataclass
class Outcome:
    """What the controller did: time until it stopped [s], why, and largest tilt error until then [deg].

    `flagged_s` is the time until the filter took a sole for slipping [s], `off_m` the error of the position.
    """

    stopped_s: float | None
    reason: str
    worst_deg: float
    flagged_s: float | None
    off_m: float

    def in_time(self, kind: str) -> bool:
        """Whether a fault of this kind was detected as facts/safety.md demands (F04, F14)."""
        if kind == SLIP:
            return self.worst_deg <= LARGEST_TILT_DEG
        if self.stopped_s is None:
            return False
        # Detection is at a sample: the first one after the time that is allowed.
        soon = self.stopped_s <= MOVING_S + 1e-3
        return soon or (kind != FREEZE and self.worst_deg <= LARGEST_TILT_DEG)


def watch(log: icub_log.Log, i: int, fault: Fault) -> Outcome:
    """Steps the controller over the log from sample i on, with a fault, until it stops or for WATCHED_S."""
    brain, change = controller(), fault.change(log)
    estimator, robot = brain.estimator, brain.robot
    row, stand = robot.new_sensor_row(), make_request(robot, "stand", {})
    yaw = icub_log.yaw(icub_log.orientation(estimator.q) @ log.R_WB[i].T)
    R, start, flagged_s = pin.rpy.rpyToMatrix(0.0, 0.0, yaw), estimator.q[:3].copy(), None
    worst_deg, off_m, stopped_s = 0.0, 0.0, None
    for k in range(i, len(log.t)):
        t = float(log.t[k] - log.t[i])
        log.fill(row, k)
        change(t, row)
        output = brain.step(row, stand, None, lambda stage: None)
        if log.truth_known[k]:
            worst_deg = max(worst_deg, icub_log.tilt_deg(icub_log.orientation(estimator.q), log.R_WB[k]))
            moved = R @ (log.p_WB[k] - log.p_WB[i])
            off_m = max(off_m, float(np.linalg.norm(estimator.q[:3] - start - moved)))
        surprise = estimator.filter.surprise[:, POSITION_SURPRISE]
        if flagged_s is None and (surprise > estimator.config.slip_gate).any():
            flagged_s = t
        if output.state != "active":
            stopped_s = t
        if stopped_s is not None or t > WATCHED_S:
            break
    return Outcome(stopped_s, output.reason, worst_deg, flagged_s, off_m)


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


def faults_at(log: icub_log.Log, t: float, rng: np.random.Generator) -> list[Fault]:
    """Draws the faults from a time on: up to three moving joints, each axis of the IMU, each loaded sole."""
    na = log.robot.na
    now, soon, after = np.searchsorted(log.t, [t, t + MOVING_S, t + FROZEN_S])
    q = log.values[:, :na]
    first, whole = np.abs(q[soon] - q[now]) / MOVING_S, np.abs(q[after] - q[now]) / FROZEN_S
    moving = np.flatnonzero((first > MOVING_RAD_S) & (whole > MOVING_RAD_S))
    v = log.values[now : soon + 1, na : 2 * na] * np.sign(q[soon] - q[now])
    steady = v.min(axis=0) >= STEADY_RAD_S
    chosen = rng.permutation(moving)[:3]
    found = [Fault(FREEZE, int(j), 1.0, t, float(first[j]), bool(steady[j])) for j in chosen]
    for kind in (TURN, BIAS):
        found += [Fault(kind, axis, float(rng.choice([-1.0, 1.0])), t) for axis in range(3)]
    loaded = log.values[now:after, -2:].min(axis=0) > LOADED_N
    return found + [
        Fault(SLIP, int(sole), float(rng.choice([-1.0, 1.0])), t) for sole in np.flatnonzero(loaded)
    ]


def run(name: str, rate: str, seed: int, times: int) -> list[tuple[Fault, Outcome]]:
    """Injects all faults at random times into a log, and returns what happened."""
    log, native, brain = log_of(name, rate), log_of(name, "native"), controller()
    rng = np.random.default_rng(seed)
    could = native.t[(native.t > 1.2) & (native.t < native.t[-1] - 1.1)]
    plan = {
        int(np.searchsorted(log.t, t)): faults_at(native, float(t), rng)
        for t in np.sort(rng.choice(could, times, replace=False))
    }
    row, stand = brain.robot.new_sensor_row(), make_request(brain.robot, "stand", {})
    log.fill(row, 0)
    brain.reset(row)
    results = []
    for i in range(len(log.t)):
        for fault in plan.get(i, []):
            results.append((fault, forked(partial(watch, log, i, fault))))
        log.fill(row, i)
        output = brain.step(row, stand, None, lambda stage: None)
        assert output.state == "active", f"false alarm at {log.t[i]} s: {output.reason}"
    return results


def table(name: str, rate: str, results: list[tuple[Fault, Outcome]]) -> Iterator[str]:
    """Yields a line for each kind of fault; faults during the recorder's pauses are counted, not judged."""
    low, high = PAUSES_S[name]
    for label in sorted({fault.label for fault, _ in results}):
        chosen = [(f, o) for f, o in results if f.label == label]
        judged = [(f, o) for f, o in chosen if not low <= f.from_s < high]
        stopped = [o.stopped_s for _, o in judged if o.stopped_s is not None]
        late = sum(not o.in_time(f.kind) for f, o in judged)
        flagged = sum(o.flagged_s is not None or o.stopped_s is not None for _, o in judged)
        worst = 1e3 * max(stopped, default=math.nan)
        tilt = max((o.worst_deg for _, o in judged), default=math.nan)
        yield (
            f"{name:8} {rate:12} {label:24} N {len(judged):3} (+{len(chosen) - len(judged)} in pauses), "
            f"stopped {len(stopped):3}, after at most {worst:4.0f} ms, seen {flagged:3}, "
            f"tilt error at most {tilt:4.1f} deg, late {late}"
        )


if __name__ == "__main__":
    for each in ((name, rate) for name in NAMES for rate in RATES):
        for line in table(*each, run(*each, int(sys.argv[1]), int(sys.argv[2]))):
            print(line, flush=True)
