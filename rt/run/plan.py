"""What is asked of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kilohertz.rt.loop.control_loop import Pace
from kilohertz.rt.loop.trace import ROWS_KEPT

ScenarioSource = str | Path | Mapping[str, Any]
GainsSource = Path | Mapping[str, Any]


@dataclass(frozen=True)
class RunPlan:
    """What is asked of a run.

    Attributes:
        robot: name of a robot that ships, or the path of a robot's folder.
        scenario: name, file, or the content of a scenario file; None for the robot's default.
        duration_s: instead of the scenario's [s].
        seed: of noise, biases, model error and ground.
        realtime: one tick a millisecond, instead of as fast as it goes.
        gains: a file instead of the robot's own gains.yaml, or values that replace some of those.
        solver: instead of the one the gains name.
        rows_kept: most ticks to keep for plots and tracking figures.
        endpoint: where the robot is; None simulates it in this process.
        lockstep: whether the robot at the endpoint waits for our commands.
        key, robot_key: names of our key pair and of the robot's public key, for a robot elsewhere.
        allow_no_rt: whether an unfit host may command hardware.
        slow_motion: how many times slower than real time the simulated robot at the endpoint is.
        watch_gains: whether changes of the gains file reach the running robot.
        log: folder to record the run into; None for no log.
        overrides: single gains to change, each as KEY=VALUE; not together with `watch_gains`.
    """

    robot: str
    scenario: ScenarioSource | None = None
    duration_s: float | None = None
    seed: int = 0
    realtime: bool = False
    gains: GainsSource | None = None
    solver: Literal["osqp", "exact"] | None = None
    rows_kept: int = ROWS_KEPT
    endpoint: str | None = None
    lockstep: bool = False
    key: str | None = None
    robot_key: str | None = None
    allow_no_rt: bool = False
    slow_motion: int = 1
    watch_gains: bool = False
    log: Path | None = None
    overrides: tuple[str, ...] = ()

    @property
    def pace(self) -> Pace:
        """What starts a tick."""
        if self.endpoint is not None:
            return Pace.ROBOT
        return Pace.TIMER if self.realtime else Pace.LOCKSTEP

    @property
    def paced(self) -> bool:
        """Whether the loop sleeps in each period."""
        return self.realtime if self.endpoint is None else not self.lockstep
