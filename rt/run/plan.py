"""The plan of a run: robot, scenario, gains, timing and log."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kilohertz.rt.loop.control_loop import Pace
from kilohertz.rt.loop.trace import ROWS_KEPT


class Keep(enum.Enum):
    """Whether a run without a folder for its log leaves one in the user's folder of logs.

    NOTHING: it leaves none.
    TROUBLE: its rows are kept in memory, and written if it ends badly. A run in lockstep leaves none, because
    it can be repeated bit by bit.
    EVERY_RUN: it leaves one.
    """

    NOTHING = "nothing"
    TROUBLE = "trouble"
    EVERY_RUN = "every run"


ScenarioSource = str | Path | Mapping[str, Any]
GainsSource = Path | Mapping[str, Any]


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run.

    Attributes:
        robot: name of a robot that ships, or the path of a robot's folder.
        scenario: name, file, or the content of a scenario file; None for the robot's default scenario.
        duration_s: duration of the run [s]; None for that of the scenario.
        seed: random seed for sensor noise, biases, model error and terrain.
        realtime: whether the loop runs one tick per millisecond, instead of as fast as possible.
        gains: gains file instead of the robot's own gains.yaml, or values that replace some of its values;
            None for the robot's own gains.
        solver: name of the solver; None for the one in the gains.
        rows_kept: largest number of ticks that are kept for plots and tracking figures.
        endpoint: endpoint of the robot; None to simulate it in this process.
        readonly: whether the robot at the endpoint is only watched, while another controller commands it.
        lockstep: whether the robot at the endpoint waits for each command.
        key, robot_key: names of the controller's key pair and of the robot's public key, for a robot at an
            endpoint; None for a link without keys.
        allow_no_rt: whether a host that is not fit for real time may control hardware.
        slow_motion: factor by which the simulated robot at the endpoint is slower than real time.
        watch_gains: whether changes of the gains file are applied to the running robot.
        log: folder to record the run into; None for what `keep` says.
        keep: whether a run without `log` leaves a log in the user's folder of logs.
        control: endpoint at which commands are taken while the robot runs; None for none.
        telemetry_hz: rate at which another process publishes the state of the run [Hz]; 0 for no telemetry.
        overrides: single gains to change, each as KEY=VALUE; not allowed together with `watch_gains`.
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
    readonly: bool = False
    key: str | None = None
    robot_key: str | None = None
    allow_no_rt: bool = False
    slow_motion: int = 1
    watch_gains: bool = False
    log: Path | None = None
    keep: Keep = Keep.NOTHING
    control: str | None = None
    telemetry_hz: float = 0.0
    overrides: tuple[str, ...] = ()

    @property
    def pace(self) -> Pace:
        """Event that starts a tick."""
        if self.endpoint is not None:
            return Pace.ROBOT
        return Pace.TIMER if self.realtime else Pace.LOCKSTEP

    @property
    def paced(self) -> bool:
        """Whether the loop runs in real time, so that it sleeps in each period."""
        return self.realtime if self.endpoint is None else not self.lockstep
