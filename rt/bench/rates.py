"""Largest push that a simulated biped survives at control rates of 10 to 1000 Hz: `khz bench rates`.

Estimator and controller run at the given rate with the same gains; the simulated drives hold the last torque
between two ticks, and the simulation runs at 1 kHz. The largest survivable push in the worst of four
directions is found by bisection, with default noise, delay and friction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.walking.speed import walks
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.world import STEP_S

RATES_HZ = (10, 50, 100, 250, 500, 1000)
STANDING, STEPPING = "standing", "stepping in place"
DIRECTIONS = {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": 270.0}

_PUSHED_AT_S = {STANDING: 0.7, STEPPING: 2.7}
_AFTER_S = 1.8
_LARGEST_NS, _RESOLUTION_NS = 32.0, 0.5


@dataclass(frozen=True)
class SurvivedPush:
    """Largest push that a robot survives at one control rate.

    Attributes:
        rate_hz: rate of estimator and controller.
        motion: STANDING without steps, or STEPPING.
        direction: direction in which the least push makes the robot fall.
        impulse_Ns: largest impulse at the trunk over 0.1 s that the robot survives in that direction; 0 where
            it falls without a push.
    """

    rate_hz: int
    motion: str
    direction: str
    impulse_Ns: float


def run_rates(
    name: str, rates_hz: Sequence[int] = RATES_HZ, progress: Callable[[str], None] = lambda text: None
) -> list[SurvivedPush]:
    """Finds the largest survivable push at each rate.

    Args:
        name: a biped with flat soles, name or folder.
        rates_hz: control rates, divisors of 1000 [Hz].
        progress: called with each line of progress.

    Raises:
        ValueError: a rate does not divide 1000 Hz, or the robot does not step on two flat soles.
    """
    robot = RobotModel.load(name)
    if not (walks(robot) and can_rest(robot)):
        raise ValueError(f"'{robot.name}' does not stand and step on two feet")
    gains, pushes = without_steps(load_gains(robot)), []
    for motion in (STANDING, STEPPING):
        for rate in rates_hz:
            worst = SurvivedPush(rate, motion, "", _LARGEST_NS)
            for direction in DIRECTIONS:
                # Bisection ends at the worst push so far: a larger one does not change the result.
                impulse = _largest(robot, gains, rate, motion, direction, worst.impulse_Ns)
                if impulse < worst.impulse_Ns:
                    worst = SurvivedPush(rate, motion, direction, impulse)
            progress(f"{motion} at {rate} Hz: {worst.impulse_Ns:g} Ns")
            pushes.append(worst)
    return pushes


def without_steps(gains: Gains) -> Gains:
    """The same gains without steps while standing."""
    return gains.model_copy(update={"stand": gains.stand.model_copy(update={"steps": False})})


def _largest(
    robot: RobotModel, gains: Gains, rate_hz: int, motion: str, direction: str, most_Ns: float
) -> float:
    """Largest survivable impulse by bisection, at most `most_Ns` [Ns]."""
    if survives(robot, gains, rate_hz, motion, direction, most_Ns):
        return most_Ns
    if not survives(robot, gains, rate_hz, motion, direction, 0.0):
        return 0.0
    low, high = 0.0, most_Ns
    while high - low > _RESOLUTION_NS:
        middle = 0.5 * (low + high)
        if survives(robot, gains, rate_hz, motion, direction, middle):
            low = middle
        else:
            high = middle
    return low


def survives(
    robot: RobotModel, gains: Gains, rate_hz: int, motion: str, direction: str, impulse_Ns: float
) -> bool:
    """Whether the robot still stands or steps 1.8 s after one push."""
    held = round(1.0 / (rate_hz * STEP_S))
    if held < 1 or abs(held * rate_hz * STEP_S - 1.0) > 1e-9:
        raise ValueError(f"{rate_hz} Hz does not divide 1000 Hz")
    way, at_s = math.radians(DIRECTIONS[direction]), _PUSHED_AT_S[motion]
    push = {"link": "trunk", "impulse_Ns": [impulse_Ns * math.cos(way), impulse_Ns * math.sin(way), 0.0]}
    fields = {"name": "push", "duration_s": at_s + _AFTER_S, "events": [{"at_s": at_s, "push": push}]}
    simulated = SimulatedRobot(robot, Scenario.model_validate(fields).in_order())
    estimator: Any = FloatingBaseEstimator(robot, gains.estimator)
    brain = Brain(robot, gains, estimator, dt_s=held * STEP_S)
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    simulated.read(sensors)
    brain.reset(sensors)
    asked: dict[str, Any] = {} if motion == STANDING else {"velocity_m_s": (0.0, 0.0)}
    request = make_request(robot, "stand" if motion == STANDING else "walk", asked)
    for tick in range(round((at_s + _AFTER_S) / STEP_S)):
        if tick % held == 0:
            simulated.read(sensors)
            output = brain.step(sensors, request, gains, _no_mark)
            if output.state != "active":
                return False
            command.copy_from(output.command)
        # Without a fresh command the drives would damp after 20 ms: the held command is sent again.
        command.seq[0] = tick + 1.0
        simulated.write(command)
        if simulated.fell:
            return False
    return True


def _no_mark(stage: int) -> None:
    """Does nothing: the stages are not timed."""


def rates_table(pushes: Sequence[SurvivedPush]) -> Table:
    """Table with one line for each rate and one column for each motion."""
    motions = list(dict.fromkeys(push.motion for push in pushes))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("rate Hz", justify="right")
    for motion in motions:
        table.add_column(f"{motion} Ns", justify="right")
        table.add_column("worst direction")
    by_rate: dict[int, dict[str, SurvivedPush]] = {}
    for push in pushes:
        by_rate.setdefault(push.rate_hz, {})[push.motion] = push
    for rate, row in by_rate.items():
        figures = [text for m in motions for text in (f"{row[m].impulse_Ns:.1f}", row[m].direction)]
        table.add_row(str(rate), *figures)
    return table


def as_json(pushes: Sequence[SurvivedPush]) -> dict[str, Any]:
    """The pushes as plain objects for JSON."""
    return {"rates": [asdict(push) for push in pushes]}
