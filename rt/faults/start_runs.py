"""Injects faults at start-up: unusual postures, and bad gains files."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.arming import SAMPLES, SelfTest
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.faults.link_runs import Outcome
from kilohertz.rt.live.gains_text import gains_yaml
from kilohertz.rt.live.gains_watch import changed_gains

ARM, BIPED = "ur5", "g1"
ARMED_TICKS = 200
LARGEST_MOVE_RAD = 0.02
OUTSIDE_RAD = 0.05
LONGEST_S = 1.0


def f26_odd_pose(n: int) -> Outcome:
    """Arms a robot arm in random postures, half of them outside its joint limits."""
    model = RobotModel.load(ARM)
    rng = np.random.default_rng(0)
    low = np.maximum(model.position_lower_rad, -2.5)
    high = np.minimum(model.position_upper_rad, 2.5)
    bench = BodyBench(model)
    moved, wrong, unnamed = 0.0, 0, 0
    for i in range(n):
        q = rng.uniform(low, high)
        outside = i % 2 == 1
        joint = int(rng.integers(model.na))
        if outside:
            q[joint] = model.position_upper_rad[joint] + rng.uniform(OUTSIDE_RAD, 0.5)
        # The same model, limits and inertia with another start posture.
        bench.robot = replace(model, q_nominal=q)
        bench.place()
        problem = _self_test(bench)
        if outside:
            wrong += problem is None
            unnamed += problem is not None and f"{model.joint_names[joint]} is at" not in problem
            continue
        wrong += problem is not None
        start = bench.simulated.truth.q.copy()
        bench.run(ARMED_TICKS)
        moved = max(moved, float(np.abs(bench.simulated.truth.q - start).max()))
    text = (
        f"moved at most {moved:.4f} rad; {wrong} judged wrongly; {unnamed} refused without the joint's name"
    )
    passed = moved <= LARGEST_MOVE_RAD and wrong == 0 and unnamed == 0
    return Outcome(n, text, passed, passed)


def _self_test(bench: BodyBench) -> str | None:
    test = SelfTest(bench.robot, PERIOD_S)
    sensors = bench.robot.new_sensor_row()
    for _ in range(SAMPLES):
        bench.simulated.read(sensors)
        test.add(sensors)
        bench.simulated.advance()
    return test.problem()


def f27_bad_gains(n: int) -> Outcome:
    """Corrupts a watched gains.yaml: wrong values of each kind, truncation anywhere, duplicate keys.

    A file that is truncated at the end of a line is valid; it may only leave gains out, not change them.
    """
    model = RobotModel.load(BIPED)
    running = Gains()
    good = gains_yaml(running)
    rng = np.random.default_rng(0)
    accepted, no_line, slowest_s = 0, 0, 0.0
    with tempfile.TemporaryDirectory(prefix="kilohertz-") as folder:
        path = Path(folder) / "gains.yaml"
        for i in range(n):
            cut = i % 3 == 2
            text = good[: int(rng.integers(1, len(good)))] if cut else _spoiled(good, i // 3, rng)
            path.write_text(text)
            start_s = time.monotonic()
            try:
                accepted += changed_gains(model, path, running) != running or not cut
            except ConfigError as error:
                no_line += not any(f"{path}:{line}" in str(error) for line in range(1, text.count("\n") + 3))
            slowest_s = max(slowest_s, time.monotonic() - start_s)
        path.unlink()
        accepted += _is_accepted(model, path, running)
    text = (
        f"{accepted} of {n} accepted; {no_line} refused without a line number; "
        f"reported within {1e3 * slowest_s:.0f} ms"
    )
    passed = accepted == 0 and no_line == 0 and slowest_s <= LONGEST_S
    return Outcome(n, text, passed, passed)


def _is_accepted(model: RobotModel, path: Path, running: Gains) -> bool:
    try:
        changed_gains(model, path, running)
    except ConfigError:
        return False
    return True


def _spoiled(good: str, i: int, rng: np.random.Generator) -> str:
    """Returns the text of a gains file with one mistake."""
    lines = good.splitlines()
    valued = [k for k, line in enumerate(lines) if _number(line) is not None]
    k = valued[int(rng.integers(len(valued)))]
    key, _, _ = lines[k].partition(":")
    value = _number(lines[k])
    assert value is not None
    spoiled = {
        0: f"{key}: .nan",
        1: f"{key}: .inf",
        2: f"{key}: {-abs(value) - 1.0:g}",
        3: f"{key}: {1e8 * (abs(value) + 10.0):g}",
        4: f"{key}: twelve",
        5: f"{lines[k]}\n{lines[k]}",
        6: f"{key}x: {value:g}",
        7: f"{key}: [{value:g}",
        8: f"{key}: {100.0 * (value or 1.0):g}",
    }[i % 9]
    return "\n".join([*lines[:k], spoiled, *lines[k + 1 :]]) + "\n"


def _number(line: str) -> float | None:
    _, colon, rest = line.partition(":")
    try:
        return float(rest.partition("#")[0]) if colon else None
    except ValueError:
        return None
