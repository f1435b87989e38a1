"""Loading and checking of robot, scenario and gains of a run, before it connects to the robot."""

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
    """The loaded inputs of a run.

    Attributes:
        robot, scenario, gains: robot, scenario with the duration of the plan, and gains with the solver and
            the overrides of the plan.
        gains_file: file of the gains, if the plan names it or watches it; else None.
        schedule: (tick, request) pairs in the order of their ticks, the first at tick 0.
    """

    robot: RobotModel
    scenario: Scenario
    gains: Gains
    gains_file: Path | None
    schedule: list[tuple[int, RequestRow]]


def prepare(plan: RunPlan, robot: RobotModel | None = None) -> Preparation:
    """Loads and checks robot, scenario and gains of a plan.

    Args:
        plan: the plan of the run.
        robot: the robot of the plan, if it is loaded already.

    Raises:
        ConfigError: robot, scenario or gains cannot be used, or the robot cannot execute a command.
        ValueError: the plan's duration is not positive.
    """
    if robot is None:
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
    """Loads the gains of a run.

    Args:
        robot: the robot.
        source: gains file instead of the robot's own gains.yaml, or values that replace some of its values;
            None for the robot's own gains.
        solver: name of the solver; None for the one in the gains.
        watch: whether the file will be watched for changes; it must then exist.

    Returns:
        The gains, and the file that was named or is to be watched; None if there is no such file.

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
