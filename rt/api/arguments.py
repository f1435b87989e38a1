"""Checks of the arguments of the public functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, SupportsIndex, TypeVar

from kilohertz.refused import Refused, refusing
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.plan import GainsSource, ScenarioSource

RobotLike = str | Path | RobotModel
ScenarioLike = str | Path | Mapping[str, Any]
GainsLike = str | Path | Mapping[str, Any]
Solver = Literal["osqp", "exact"]

SOLVERS = ("osqp", "exact")
LONGEST_RUN_S = 86_400.0
UNNAMED = "unnamed"

T = TypeVar("T")


def robot_source(robot: RobotLike) -> str:
    """Returns the name or folder of a robot.

    Raises:
        Refused: the argument is neither a name, nor a path, nor a loaded robot.
    """
    if isinstance(robot, RobotModel):
        return str(robot.folder)
    return str(_one_of_types("robot", robot, (str, Path), "a robot's name or the path of its folder"))


def robot_model(robot: RobotLike) -> RobotModel:
    """Returns the robot; it is loaded if its name or path is given.

    Raises:
        Refused: there is no such robot, or its files cannot be used.
    """
    if isinstance(robot, RobotModel):
        return robot
    with refusing():
        return RobotModel.load(robot_source(robot))


def scenario_source(scenario: ScenarioLike | None, duration_s: float | None = None) -> ScenarioSource | None:
    """Returns the name, file or content of a scenario.

    Args:
        scenario: name, path or content of a scenario; None for the robot's default scenario.
        duration_s: duration for content that has none [s].

    Returns:
        The argument; content has a name and, if `duration_s` is given, a duration.

    Raises:
        Refused: the argument is neither a name, nor a path, nor a dict.
    """
    if scenario is None:
        return None
    kinds = "a scenario's name, the path of its file, or its content as a dict"
    _one_of_types("scenario", scenario, (str, Path, Mapping), kinds)
    if isinstance(scenario, Mapping):
        duration = {} if duration_s is None else {"duration_s": duration_s}
        return {"name": UNNAMED, **duration, **scenario}
    return scenario


def gains_source(gains: GainsLike | None) -> GainsSource | None:
    """Returns the path of a gains file, or values that replace some of the robot's own gains.

    Raises:
        Refused: the argument is neither a path nor a dict.
    """
    if gains is None or isinstance(gains, Mapping):
        return gains
    return Path(_one_of_types("gains", gains, (str, Path), "the path of a gains file, or a dict of values"))


def solver_name(solver: Solver | None) -> Solver | None:
    """Returns the name of the solver.

    Raises:
        Refused: there is no such solver.
    """
    if solver is None or solver in SOLVERS:
        return solver
    raise Refused(
        f"solver should be {' or '.join(SOLVERS)}, not {solver!r}{did_you_mean(str(solver), SOLVERS)}"
    )


def seed_number(seed: SupportsIndex) -> int:
    """Returns the random seed.

    Raises:
        Refused: the seed is not a whole number of at least 0.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise Refused(f"seed should be a whole number of at least 0, not {seed!r}")
    return number


def duration(duration_s: float | None) -> float | None:
    """Returns a duration [s].

    Raises:
        Refused: the duration is not a number above 0, or longer than a day.
    """
    if duration_s is None:
        return None
    try:
        seconds = float(duration_s)
    except (TypeError, ValueError):
        seconds = math.nan
    if not 0.0 < seconds <= LONGEST_RUN_S:
        raise Refused(
            f"duration_s should be a number above 0 and at most {LONGEST_RUN_S:g}, not {duration_s!r}"
        )
    return seconds


def file_path(file: str | Path) -> Path:
    """Returns the path of a file to read.

    Raises:
        Refused: the argument is not a path.
    """
    return Path(_one_of_types("file", file, (str, Path), "the path of a file"))


def log_folder(log: str | Path | None) -> Path | None:
    """Returns the path of the folder for a log; None for no log.

    Raises:
        Refused: the argument is not a path.
    """
    return None if log is None else Path(_one_of_types("log", log, (str, Path), "the path of a folder"))


def _one_of_types(name: str, value: T, types: tuple[type, ...], meaning: str) -> T:
    if not isinstance(value, types):
        raise Refused(f"{name} should be {meaning}, not {value!r}")
    return value
