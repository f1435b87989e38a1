"""All that a run needs to know before it meets its robot: read, checked and fitted to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.controller.gains.overrides import gains_with, with_overrides
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.supervision.request import RequestRow
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
    source = plan.scenario or default_scenario_name(robot)
    scenario, positions = load_scenario_located(source, robot, behaviour_schemas(robot))
    if plan.duration_s is not None:
        scenario = scenario.with_duration(plan.duration_s)
    gains, gains_file = load_gains_of(robot, plan.gains, plan.solver, watch=plan.watch_gains)
    gains = with_overrides(robot, gains, plan.overrides)
    return Preparation(robot, scenario, gains, gains_file, schedule_of(robot, scenario, positions))


def load_gains_of(
    robot: RobotModel,
    source: GainsSource | None,
    solver: Literal["osqp", "exact"] | None,
    *,
    watch: bool = False,
) -> tuple[Gains, Path | None]:
    """The gains of a run, and the file to watch or that was named.

    Args:
        robot: the robot.
        source: a file instead of the robot's own gains.yaml, or values that replace some of those.
        solver: instead of the one that the gains name.
        watch: whether the file is to be watched; it must then exist.

    Raises:
        ConfigError: the gains cannot be used, or there is no file to watch.
    """
    if isinstance(source, Mapping):
        if watch:
            raise ConfigError("gains that are given as values cannot be watched: name their file")
        gains, file = gains_with(robot, source), None
    else:
        file = watched_file(robot, source) if watch else source
        gains = load_gains(robot, file)
    return (gains if solver is None else gains.model_copy(update={"solver": solver})), file
