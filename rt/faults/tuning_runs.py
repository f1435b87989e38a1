"""Injects gains that are within their bounds but unsuitable for the robot."""

from __future__ import annotations

import numpy as np

from kilohertz.controller.gains.live import GainsRow, live_bounds, live_numbers, live_paths
from kilohertz.controller.gains.tuning import ROLLED_BACK
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.faults.body_bench import BodyBench
from kilohertz.rt.faults.link_runs import Outcome

ARM, BIPED = "panda", "g1"
SETTLING_TICKS, WALKING_TICKS = 1200, 2600
TRIAL_TICKS, AFTER_TICKS = 2600, 600
BACK_MS, JOINT_ERROR_RAD, OFF_RAD = 300, 0.05, 0.01
LARGEST_FACTOR = 20.0
_OF_ARM = ("hand.kp", "hand.kd", "hand.weight", "hand.orientation")


def f28_unstable_gains(n: int) -> Outcome:
    """Sets gains that are up to 20 times too large or small, which the watcher of a gains file would refuse.

    They are given in turn to an arm at rest, a standing biped and a walking one. The controller must detect
    which gains are unstable; the criterion is that no robot falls and no joint moves far.
    """
    arm, biped = BodyBench(ARM), BodyBench(BIPED)
    trials = [_Trial(bench) for bench in (arm, biped, biped)]
    walk = make_request(biped.robot, "walk", {"velocity_m_s": [0.3, 0.0], "yaw_rate_rad_s": 0.0})
    stand = biped.request
    rolled_back = fell = late_ms = 0
    error = 0.0
    for i in range(n):
        trial, walks = trials[i % 3], i % 3 == 2
        trial.bench.request = walk if walks else arm.request if i % 3 == 0 else stand
        trial.run(i, WALKING_TICKS if walks else SETTLING_TICKS)
        rolled_back += trial.rolled_back
        fell += trial.fell
        if not walks:
            error, late_ms = max(error, trial.error), max(late_ms, trial.late_ms)
    text = (
        f"{rolled_back} rolled back, at most {late_ms} ms after a joint was {OFF_RAD:g} rad off; "
        f"joint error at most {error:.3f} rad; {fell} falls"
    )
    safe = fell == 0
    return Outcome(n, text, safe and late_ms <= BACK_MS and error < JOINT_ERROR_RAD, safe)


class _Trial:
    """Tries gains on one robot.

    Args:
        bench: test bench of the robot.

    Attributes:
        bench: test bench of the robot.
        rolled_back: whether the controller rolled the gains back.
        fell: whether the robot fell, or the controller went to damping.
        error: largest joint displacement from before the trial [rad].
        late_ms: time from a joint error of OFF_RAD until the previous gains were in force again [ms].
    """

    def __init__(self, bench: BodyBench) -> None:
        self.bench = bench
        self.good = live_numbers(bench.gains)
        self.rolled_back = self.fell = False
        self.error, self.late_ms = 0.0, 0

    def run(self, seed: int, settling_ticks: int) -> None:
        """Lets the robot settle, sets new gains, and runs until the trial is over or was rolled back."""
        bench = self.bench
        bench.place(seed=seed)
        bench.row = row = GainsRow(bench.gains)
        bench.run(settling_ticks)
        before = self._joints()
        row.numbers[:] = self._spoiled(bench.rng)
        row.generation += 1
        self.rolled_back, self.error, self.late_ms = False, 0.0, 0
        off_at = back_at = -1
        for k in range(TRIAL_TICKS):
            bench.tick()
            off = float(np.abs(self._joints() - before).max())
            self.error = max(self.error, off)
            if off > OFF_RAD and off_at < 0:
                off_at = k
            if bench.brain.tuning.state == ROLLED_BACK:
                self.rolled_back = True
                if back_at < 0 and bench.brain.tuning.settled:
                    back_at = k
                if back_at >= 0 and k > back_at + AFTER_TICKS:
                    break
        self.fell = bench.simulated.fell or not bench.active
        if off_at >= 0 and self.rolled_back:
            self.late_ms = back_at - off_at
        bench.row = None

    def _joints(self) -> Vector:
        q: Vector = self.bench.simulated.truth.q[self.bench.robot.nq_base :].copy()
        return q

    def _spoiled(self, rng: np.random.Generator) -> Vector:
        """Returns all gains; one to three of those that the robot uses are far too large or small."""
        numbers = self.good.copy()
        names = [".".join(path) for path in live_paths()]
        used = [i for i, name in enumerate(names) if self.bench.robot.floating or name.startswith(_OF_ARM)]
        for i in rng.choice(used, int(rng.integers(1, 4)), replace=False):
            numbers[i] *= LARGEST_FACTOR ** rng.choice([-1.0, -0.5, 0.5, 1.0])
        return np.clip(numbers, *live_bounds())
