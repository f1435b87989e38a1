"""Measures how a driven robot stops: keys released and operators killed at random, in lockstep.

Run as a program: python tests/driven_stops.py [RUNS].
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass

import numpy as np
from driven_robot import DrivenRobot, Held

RELEASED_S, KILLED_S = 2.0, 2.5
"""Longest time until the robot stands after the last release, and after the operator was killed [s]."""
BEGIN_S, AFTER_S = 0.5, 3.0
SINGLE = ["w", "s", "a", "d", "q", "e"]
PAIRS = ["wa", "wd", "wq", "we", "sa", "sq", "aq", "de"]


@dataclass(frozen=True)
class Stop:
    """One stop: what was held, how it ended, and how the robot came to a stand."""

    number: int
    keys: str
    speed_m_s: float
    killed: bool
    fell: bool
    settles_s: float
    stands_s: float
    silent_s: float
    """Time until the reference of the walk is zero [s]."""

    @property
    def in_time(self) -> bool:
        return not self.fell and self.stands_s <= (KILLED_S if self.killed else RELEASED_S)

    def __str__(self) -> str:
        verdict = "in time" if self.in_time else "TOO LATE" if not self.fell else "FELL"
        how = "killed" if self.killed else "released"
        return (
            f"{self.number:3} {self.keys:2} at {self.speed_m_s:.2f} m/s, {how}: reference zero after "
            f"{self.silent_s:.3f} s, settled after {self.settles_s:.3f} s, stands after "
            f"{self.stands_s:.3f} s {verdict}"
        )


def stop(number: int) -> Stop:
    """Drives a robot with random keys, and stops: every second time because the operator is killed."""
    rng = np.random.default_rng(number)
    killed, releases = number % 2 == 1, number % 4 >= 2
    keys = str(rng.choice(SINGLE + PAIRS if releases else SINGLE))
    end_s = BEGIN_S + float(rng.uniform(1.0, 3.5))
    delay_s, period_s = float(rng.uniform(0.25, 0.66)), float(rng.uniform(0.03, 0.1))
    until_s = end_s + 10.0 if killed else end_s
    speed_m_s = float(rng.uniform(0.1, 0.8))
    robot = DrivenRobot(
        [Held(key, BEGIN_S, until_s, delay_s, period_s) for key in keys],
        end_s + AFTER_S,
        releases=releases,
        killed_s=end_s if killed else float("inf"),
        # A killed process closes its connection; a network that fails does not.
        notices=bool(rng.integers(2)),
        phase_s=float(rng.uniform(0.0, 0.02)),
        speed_m_s=speed_m_s,
        seed=number,
    )
    fell = bool(robot.run().summary["fell"])
    moving = robot.t_s[(robot.velocity_m_s > 0.0) & (robot.t_s >= end_s)]
    silent_s = float(moving[-1] - end_s) if moving.size else 0.0
    return Stop(
        number, keys, speed_m_s, killed, fell, robot.settles_s(end_s), robot.stands_s(end_s), silent_s
    )


def main() -> None:
    """Prints every stop, and the worst."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    stops = []
    for number in itertools.islice(itertools.count(first), runs):
        stops.append(stop(number))
        print(stops[-1], flush=True)
    for killed, within_s in ((False, RELEASED_S), (True, KILLED_S)):
        some = [each for each in stops if each.killed == killed]
        if some:
            slowest_s = max(each.stands_s for each in some)
            print(
                f"{'killed' if killed else 'released'}: {sum(each.in_time for each in some)} of "
                f"{len(some)} stand within {within_s:g} s, the slowest after {slowest_s:.2f} s; "
                f"reference zero after at most {max(each.silent_s for each in some):.2f} s"
            )


if __name__ == "__main__":
    main()
