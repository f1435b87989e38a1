"""All that a run needs to know before it meets its robot: read, checked and fitted to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kilohertz.controller.gains.overrides import gains_with
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.request import RequestRow
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_watch import watched_file
from kilohertz.rt.run.plan import GainsSource, RunPlan
from kilohertz.rt.run.schedule import schedule_of
from kilohertz.sim.scenario import default_scenario_name, load_scenario_located
from kilohertz.sim.scenario_schema import Scenario


@dataclass(frozen=True)
class Preparation:
    """What is run.

    Attributes:
        robot, scenario, gains: as loaded; the scenario with the plan's duration, the gains with its solver.
        gains_file: that they came from, where the plan names one or wants it watched.
        schedule: (tick, request) pairs in order of their ticks, the first at tick 0.
    """

    robot: RobotModel
    scenario: Scenario
    gains: Gains
    gains_file: Path | None
    schedule: list[tuple[int, RequestRow]]


def prepare(plan: RunPlan) -> Preparation:
    """Reads what a plan names.

    Raises:
        ConfigError: robot, scenario or gains cannot be used, or the robot cannot do what is asked.
        ValueError: the plan's duration is not positive.
    """
    robot = RobotModel.load(plan.robot)
    scenario, positions = load_scenario_located(plan.scenario or default_scenario_name(robot), robot)
    if plan.duration_s is not None:
        scenario = scenario.with_duration(plan.duration_s)
    gains, gains_file = _gains(robot, plan.gains, watch=plan.watch_gains)
    if plan.solver is not None:
        gains = gains.model_copy(update={"solver": plan.solver})
    return Preparation(robot, scenario, gains, gains_file, schedule_of(robot, scenario, positions))


def _gains(robot: RobotModel, source: GainsSource | None, *, watch: bool) -> tuple[Gains, Path | None]:
    if isinstance(source, Mapping):
        if watch:
            raise ConfigError("gains that are given as values cannot be watched: name their file")
        return gains_with(robot, source), None
    file = watched_file(robot, source) if watch else source
    return load_gains(robot, file), file
