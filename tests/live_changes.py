"""Campaign of live changes of gains on a simulated G1: a script, and a short part for tests.

    python tests/live_changes.py [--changes 100] [--seeds 1 2 3] [--unstable 60] [--json FILE]

Harmless changes are written to a gains file, one after the other, while the robot walks: each changes one to
three gains by up to 30 % from the robot's own. None of them should be rolled back. The same walk without
changes shows which torque steps are those of the walk.

Unstable changes go straight to the loop, because the watcher of a gains file refuses such ratios: each
changes one to five gains by factors of up to 100. What is unstable is decided without the supervisor: the
robot falls, or a joint oscillates by more than three times as much as before and 0.3 rad/s. With the
supervisor, each of these has to be rolled back, and the robot must not fall.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path

import numpy as np

from kilohertz.controller.gains.live import live_bounds, live_numbers, live_paths, with_numbers
from kilohertz.controller.gains.tuning import GOOD, ON_TRIAL, ROLLED_BACK
from kilohertz.controller.supervision.request import make_request
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.live.gains_text import gains_yaml
from kilohertz.rt.live.gains_watch import GainsWatcher
from kilohertz.rt.live.live_run import LiveRun
from kilohertz.sim.scenario_schema import Sensors

WALK = {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.0}
STANDING_TICKS, WALKING_TICKS = 2500, 5000
LOOK_TICKS = 20
LARGEST_HARMLESS, LARGEST_WILD = 1.3, 100.0
STEP_BAR_NM = 1.0
FOR_TICKS = 4000
OSCILLATES_TIMES, OSCILLATES_RAD_S = 3.0, 0.3
_UNUSED_WALKING, _UNUSED_STANDING = ("hand.", "com.dcm", "com.height_ki"), ("hand.", "walk.")
STANDING_DELAY_MS = 8.0
"""Delay with which a standing robot gets unstable gains: with 2 ms, no gains within their bounds are."""
MOST_WILD = 5
"""Largest number of gains in an unstable change."""


class Scene:
    """A G1 with live gains, its gains file and the watcher of that file on simulated time.

    Args:
        bench: test bench of the robot.
        seed: random seed of the simulation.
        walks: whether the robot walks at the end of `begin`.
        path: the gains file; None without a watcher.
        delay_ms: delay from sensors to torques [ms].
    """

    def __init__(self, bench, seed, walks, path=None, delay_ms=2.0):
        self.bench, self.path, self.reports = bench, path, []
        sensors = Sensors.model_validate({"noise": "default", "delay_ms": delay_ms})
        bench.place(bench.scenario.model_copy(update={"sensors": sensors}), seed)
        bench.request = make_request(bench.robot, "stand", {})
        self.live = LiveRun(bench.gains, bench.brain.tuning)
        bench.row = self.live.row
        self.watcher = None
        if path is not None:
            path.write_text(gains_yaml(bench.gains))
            self.watcher = GainsWatcher(
                bench.robot, path, bench.gains, self.live.mailbox, self.reports.append
            )
        self.tick = 0
        self.steps_Nm, self.fading_steps_Nm = np.zeros((2, bench.robot.na))
        self._tau = None
        self.run(STANDING_TICKS)
        if walks:
            bench.request = make_request(bench.robot, "walk", WALK)
            self.run(WALKING_TICKS)

    @property
    def fell(self):
        return bool(self.bench.simulated.fell or self.bench.output.state != "active")

    def run(self, ticks, until=None):
        """Runs some ticks, or until a condition holds; stops when the robot has fallen."""
        for _ in range(ticks):
            tau = self.bench.tick().tau
            if self._tau is not None:
                step_Nm = np.abs(tau - self._tau)
                np.maximum(self.steps_Nm, step_Nm, out=self.steps_Nm)
                if not self.bench.brain.tuning.settled:
                    np.maximum(self.fading_steps_Nm, step_Nm, out=self.fading_steps_Nm)
            self._tau = tau.copy()
            self.live.between_ticks(1e-3 * self.tick)
            self.tick += 1
            if self.watcher is not None and self.tick % LOOK_TICKS == 0:
                self.watcher.look(1e-3 * self.tick)
            if self.fell or (until is not None and until()):
                return

    def change(self, numbers):
        """Writes gains to the file, and waits for the verdict.

        Returns:
            State of the trial, and its reason.
        """
        tuning, generation = self.bench.brain.tuning, self.bench.brain.tuning.generation
        self.path.write_text(gains_yaml(with_numbers(self.bench.gains, numbers)))
        self.run(12_000, lambda: tuning.generation > generation and tuning.state != ON_TRIAL)
        return tuning.state, tuning.reason


def used(walks):
    """Indices of the live gains that a G1 uses while it stands or walks, without targets of its hands."""
    names = [".".join(path) for path in live_paths()]
    unused = _UNUSED_WALKING if walks else _UNUSED_STANDING
    return [i for i, name in enumerate(names) if not name.startswith(unused)]


def changed(base, rng, factors, walks=True, most=3):
    """The gains with one or more of them multiplied by factors."""
    numbers = base.copy()
    for i in rng.choice(used(walks), int(rng.integers(1, most + 1)), replace=False):
        numbers[i] *= factors(rng)
    return np.clip(numbers, *live_bounds())


def slightly(rng):
    return LARGEST_HARMLESS ** rng.uniform(-1.0, 1.0)


def wildly(rng):
    return LARGEST_WILD ** rng.choice([-1.0, -0.5, 0.5, 1.0])


def harmless_changes(bench, seed, count, folder):
    """Changes gains of a walking robot one after the other.

    Returns:
        A dict of figures: `changes`, `accepted`, `rolled_back` with `reasons`, `fell`, `ticks`, and
        `step_above_Nm`: by how much the largest torque step of any joint exceeds that of the same walk
        without changes; `fading_step_above_Nm` is that of the ticks in which gains come into force, and
        `quiet_step_above_Nm` that of the first half of the walk without changes over its second half.
    """
    rng, base = np.random.default_rng(seed), live_numbers(bench.gains)
    scene = Scene(bench, seed, True, folder / f"gains-{seed}.yaml")
    results = []
    for _ in range(count):
        scene.run(int(rng.integers(0, 500)))
        results.append(scene.change(changed(base, rng, slightly)))
        if scene.fell:
            break
    ticks, fell = scene.tick, scene.fell
    quiet = Scene(bench, seed, True)
    quiet.run(ticks // 2 - quiet.tick)
    first_Nm = quiet.steps_Nm.copy()
    quiet.steps_Nm[:] = 0.0
    quiet.run(ticks - quiet.tick)
    second_Nm = quiet.steps_Nm
    usual_Nm = np.maximum(first_Nm, second_Nm)
    bench.row = None
    above = scene.steps_Nm - usual_Nm
    return {
        "seed": seed,
        "changes": len(results),
        "accepted": sum(state == GOOD for state, _ in results),
        "rolled_back": sum(state == ROLLED_BACK for state, _ in results),
        "reasons": [reason for _, reason in results if reason],
        "fell": fell,
        "ticks": ticks,
        "step_Nm": float(scene.steps_Nm.max()),
        "step_above_Nm": float(above.max()),
        "step_above_of": bench.robot.joint_names[int(above.argmax())],
        "fading_step_above_Nm": float((scene.fading_steps_Nm - usual_Nm).max()),
        "quiet_step_above_Nm": float((first_Nm - second_Nm).max()),
    }


def unstable_changes(bench, seed, walks, count):
    """Gives a standing or walking robot gains that may be unstable, each from the same instant.

    Returns:
        A list of dicts: `unstable` and `fell_alone` without the supervisor, and with it `rolled_back`,
        `after_ms` and `fell`.
    """
    rng, base = np.random.default_rng([seed, walks]), live_numbers(bench.gains)
    scene = Scene(bench, seed, walks, delay_ms=2.0 if walks else STANDING_DELAY_MS)
    found = []
    for _ in range(count):
        numbers = changed(base, rng, wildly, walks, MOST_WILD)
        alone = in_child(lambda numbers=numbers: without_supervisor(scene, numbers))
        if alone["unstable"]:
            alone |= in_child(lambda numbers=numbers: with_supervisor(scene, numbers))
        names = [".".join(path) for path in live_paths()]
        alone["gains"] = {names[i]: float(numbers[i]) for i in np.flatnonzero(numbers != base)}
        found.append(alone)
    bench.row = None
    return found


def in_child(task):
    """Runs a task in a copy of this process, which leaves the state of the simulation here as it is."""
    here, there = multiprocessing.Pipe(duplex=False)

    def main():
        there.send(task())

    process = multiprocessing.get_context("fork").Process(target=main)
    process.start()
    there.close()
    result = here.recv()
    process.join()
    return result


def without_supervisor(scene, numbers):
    tuning, watch = scene.bench.brain.tuning, scene.bench.brain.tuning._watch
    tuning._try = lambda *_: None
    usual = np.sqrt(watch.reference.swing.max(axis=0))
    scene.live.mailbox.post(1, numbers)
    scene.run(FOR_TICKS - 1000)
    swing = np.zeros_like(usual)
    for _ in range(1000):
        scene.run(1)
        np.maximum(swing, np.sqrt(watch._swing), out=swing)
    oscillates = bool((swing > OSCILLATES_TIMES * usual + OSCILLATES_RAD_S).any())
    return {"unstable": oscillates or scene.fell, "fell_alone": scene.fell}


def with_supervisor(scene, numbers):
    tuning, start = scene.bench.brain.tuning, scene.tick
    scene.live.mailbox.post(1, numbers)
    scene.run(FOR_TICKS, lambda: tuning.state == ROLLED_BACK)
    after_ms = scene.tick - start
    reason = tuning.reason
    scene.run(FOR_TICKS)
    return {
        "rolled_back": tuning.state == ROLLED_BACK,
        "after_ms": after_ms,
        "fell": scene.fell,
        "reason": reason,
    }


def summary(harmless, unstable):
    """Returns the figures of a campaign."""
    changes = sum(each["changes"] for each in harmless)
    counted = [each for each in unstable if each["unstable"]]
    return {
        "harmless": {
            "changes": changes,
            "rolled_back": sum(each["rolled_back"] for each in harmless),
            "without_verdict": changes - sum(each["rolled_back"] + each["accepted"] for each in harmless),
            "falls": sum(each["fell"] for each in harmless),
            **{
                name: max((each[name] for each in harmless), default=None)
                for name in ("step_above_Nm", "fading_step_above_Nm", "quiet_step_above_Nm")
            },
        },
        "unstable": {
            "tried": len(unstable),
            "unstable": len(counted),
            "fell_without_supervisor": sum(each["fell_alone"] for each in counted),
            "rolled_back": sum(each["rolled_back"] for each in counted),
            "falls": sum(each["fell"] for each in counted),
            "longest_ms": max((each["after_ms"] for each in counted), default=None),
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=100, help="harmless changes for each seed")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--unstable", type=int, default=60, help="wild changes, standing and walking each")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bench, harmless, unstable = BodyBench("g1"), [], []
    for seed in arguments.seeds:
        for walks in (False, True):
            share = -(-arguments.unstable // len(arguments.seeds))
            found = unstable_changes(bench, seed, walks, share)
            unstable += [each | {"seed": seed, "walks": walks} for each in found]
            for each in found:
                print(json.dumps(each | {"seed": seed, "walks": walks}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            harmless.append(harmless_changes(bench, seed, arguments.changes, Path(folder)))
            print(json.dumps(harmless[-1]), flush=True)
    report = summary(harmless, unstable)
    print(json.dumps(report, indent=1))
    if arguments.json:
        report |= {"each": {"harmless": harmless, "unstable": unstable}}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
