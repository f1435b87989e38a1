"""A checked study: its runs by number, and the values of each."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.config.yaml_file import Config, Loc, Positions, load_yaml_located, value_at
from kilohertz.robots.model.description import shipped_robots
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.preparation import prepare
from kilohertz.rt.run.summary import version
from kilohertz.rt.study.expression import Formula, FormulaError
from kilohertz.rt.study.places import PlaceError, steps_of, with_value
from kilohertz.rt.study.study_file import GAINS, SEED, StudyFile, variations
from kilohertz.rt.study.variation import Key, Polar, Variation
from kilohertz.sim.scenario import find_scenario, shipped_scenarios
from kilohertz.sim.scenario_schema import DEFAULT_NOISE, DefaultPlant

MOST_RUNS = 1_000_000
CHECKED_VALUES = 200
"""Number of values of a list that are checked before the first run; further ones are checked in their run."""
SETTLE_S, TIMEOUT_FACTOR = 60.0, 30.0


SECTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "ground": {"default": {"kind": "flat"}},
    "plant": {"default": DefaultPlant().model_dump(), "exact": {}},
    "sensors.noise": {"default": DEFAULT_NOISE.model_dump(), "none": {}},
}
"""Sections of a scenario that may be left out or be a word, and what the words mean."""


class _AnyMap(Config):
    """A file whose content is checked elsewhere."""

    model_config = ConfigDict(**{**Config.model_config, "extra": "allow"})


@dataclass(frozen=True)
class Task:
    """One run of a study, in plain data, for another process or computer.

    Attributes:
        index: number of the run.
        robot: name or folder of the robot.
        scenario: content of the scenario.
        seed: random seed of the run.
        gains: gains file; None for the robot's own.
        overrides: single gains to change, as for `--set`.
        solver, duration_s: as in `RunPlan`.
        log: folder to record the run into; None for no log.
    """

    index: int
    robot: str
    scenario: dict[str, Any]
    seed: int
    gains: str | None = None
    overrides: tuple[str, ...] = ()
    solver: Any = None
    duration_s: float | None = None
    log: str | None = None

    def plan(self) -> RunPlan:
        """Returns the plan of the run."""
        return RunPlan(
            self.robot,
            self.scenario,
            self.duration_s,
            self.seed,
            gains=None if self.gains is None else Path(self.gains),
            solver=self.solver,
            overrides=self.overrides,
            log=None if self.log is None else Path(self.log),
        )

    def command(self, scenario_file: Path) -> str:
        """Returns the command line that repeats the run, with its scenario in a file."""
        words = ["khz", "sim", self.robot, "--scenario", str(scenario_file), "--seed", str(self.seed)]
        words += [] if self.duration_s is None else ["--duration", repr(self.duration_s)]
        words += [] if self.solver is None else ["--solver", self.solver]
        words += [] if self.gains is None else ["--gains", self.gains]
        words += ["--set", *self.overrides] if self.overrides else []
        return shlex.join(words)


@dataclass(frozen=True)
class Parameter:
    """One parameter that varies."""

    path: str
    variation: Variation

    @property
    def of_gains(self) -> bool:
        """Whether it is a gain."""
        return self.path.startswith(f"{GAINS}.")


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes:
        file, positions: content of the study file, and the lines of its keys.
        path: the file.
        robot: the robot.
        scenario: content of the scenario, without the values that vary.
        gains: gains file; None for the robot's own gains.
        overrides: single gains to change in every run, as for `--set`.
        parameters: what varies, in the order of the file.
        outcome: formula of success.
        runs: number of runs.
    """

    file: StudyFile
    positions: Positions
    path: Path
    robot: RobotModel
    scenario: dict[str, Any]
    gains: Path | None
    overrides: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    outcome: Formula
    runs: int

    @property
    def duration_s(self) -> float:
        """Simulated duration of a run, if it does not vary [s]."""
        return float(self.file.duration_s or self.scenario["duration_s"])

    @property
    def timeout_s(self) -> float:
        """Wall-clock time after which a run counts as hung [s]."""
        return self.file.timeout_s or SETTLE_S + TIMEOUT_FACTOR * self.duration_s

    def values(self, run: int) -> dict[str, Any]:
        """Returns the values of a run by the path of the parameter.

        A vector in polar coordinates has its magnitude and angle besides, as `PATH.magnitude` and
        `PATH.angle_rad`.
        """
        values: dict[str, Any] = {}
        cell = run
        for parameter in reversed(self.parameters):
            key, variation = Key(self.file.sampler_seed, parameter.path), parameter.variation
            cells = variation.cells if self.file.grid else None
            if cells is None:
                number = None
            else:
                cell, number = divmod(cell, cells)
            if isinstance(variation, Polar):
                polar = variation.polar_sample(key, run) if number is None else variation.polar_cell(number)
                values[f"{parameter.path}.angle_rad"] = polar[1]
                values[f"{parameter.path}.magnitude"] = polar[0]
                values[parameter.path] = variation.vector(*polar)
            else:
                values[parameter.path] = (
                    variation.sample(key, run) if number is None else variation.cell(number)
                )
        return dict(reversed(values.items()))

    def task(self, run: int, more: Iterable[str] = ()) -> Task:
        """Returns a run.

        Args:
            run: number of the run.
            more: further gains to change, as for `--set`; they come last.
        """
        values = self.values(run)
        return self.task_of(run, {each.path: values[each.path] for each in self.parameters}, more)

    def task_of(self, run: int, values: dict[str, Any], more: Iterable[str] = ()) -> Task:
        """Returns a run with given values of the parameters.

        Raises:
            PlaceError: the scenario has no place for a value.
        """
        scenario, seed = self.scenario, 0
        overrides = list(self.overrides)
        for path, value in values.items():
            if path == SEED:
                seed = value
            elif path.startswith(f"{GAINS}."):
                overrides.append(f"{path.removeprefix(f'{GAINS}.')}={json.dumps(value)}")
            else:
                scenario = with_value(scenario, steps_of(path), value)
        return Task(
            run,
            robot_argument(self.robot),
            scenario,
            seed,
            None if self.gains is None else str(self.gains),
            (*overrides, *more),
            self.file.solver,
            self.file.duration_s,
        )

    def identity(self) -> str:
        """Returns a hash of all that the runs follow from: equal studies have equal rows."""
        gains = "" if self.gains is None else self.gains.read_text("utf-8")
        own = self.robot.folder / "gains.yaml"
        content = {
            "study": self.file.model_dump(mode="json", exclude={"runs", "timeout_s", "tune"}),
            "runs": self.runs if self.file.grid else None,
            "scenario": self.scenario,
            "gains": gains,
            "own": own.read_text("utf-8") if own.is_file() else "",
            "overrides": self.overrides,
            "robot": [self.robot.config_sha256, self.robot.model_sha256],
            "version": version(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def robot_argument(robot: RobotModel) -> str:
    """Returns the argument ROBOT of a command for a robot."""
    return robot.name if robot.name in shipped_robots() else str(robot.folder.absolute())


FurtherCheck = Callable[[StudyFile, Positions], tuple[list[Problem], int]]
"""Finds further problems of a study file, and returns the number of runs that it would take."""


def load_study(
    path: Path,
    gains: Path | None = None,
    overrides: tuple[str, ...] = (),
    further: FurtherCheck | None = None,
) -> Study:
    """Reads and checks a study: its words, and its values against scenario, gains and robot.

    Args:
        path: the study file.
        gains: gains file that replaces the one of the study.
        overrides: single gains to change in every run, as for `--set`.
        further: further check of the file, whose number of runs is then the one of refusals.

    Raises:
        ConfigError: the study cannot be used; one line per problem, with file and line.
    """
    file, positions = load_yaml_located(path, StudyFile)
    robot = RobotModel.load(_beside(path, file.robot))
    scenario = _spelled_out(_scenario(file, positions, path), file.vary)
    found, problems = variations(positions, scenario)
    runs = _count(file, positions, found, problems)
    outcome = formula_at(positions, ("outcome",), file.outcome, problems)
    would_take = runs
    if further is not None:
        found_further, would_take = further(file, positions)
        problems += found_further
    if problems:
        raise ConfigError(*with_runs(problems, would_take))
    chosen = gains or (None if file.gains is None else Path(_beside(path, file.gains)))
    parameters = tuple(Parameter(name, each) for name, each in found.items())
    study = Study(
        file=file,
        positions=positions,
        path=path,
        robot=robot,
        scenario=scenario,
        gains=chosen.absolute() if chosen else None,
        overrides=overrides,
        parameters=parameters,
        outcome=outcome or Formula("not fell"),
        runs=runs,
    )
    problems = list(_misfits(study))
    if problems:
        raise ConfigError(*with_runs(problems, would_take))
    return study


def _beside(study: Path, name: str) -> str:
    """Returns the path of what a study names: relative to the study if it is there."""
    beside = study.parent / name
    is_path = "/" in name or beside.exists()
    return str(beside) if is_path else name


def _scenario(file: StudyFile, positions: Positions, path: Path) -> dict[str, Any]:
    if isinstance(file.scenario, str):
        named = file.scenario if file.scenario in shipped_scenarios() else _beside(path, file.scenario)
        if named.endswith((".yaml", ".yml")) and not Path(named).exists():
            stem = Path(named).stem
            hint = f": the shipped scenario is '{stem}', without .yaml" if stem in shipped_scenarios() else ""
            raise positions.error(("scenario",), f"'{file.scenario}' is not beside the study{hint}")
        try:
            return dict(load_yaml_located(find_scenario(named), _AnyMap)[1].data)
        except ConfigError as error:
            if any(problem.file for problem in error.problems):
                raise
            raise positions.error(("scenario",), str(error)) from None
    return {"name": file.name, **file.scenario}


def _spelled_out(scenario: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Returns a scenario in which sections with a varied value are written out, not left to a default.

    `plant: default` is written out with its values; for a robot with weak joints they are then not reduced.
    """
    for section, words in SECTIONS.items():
        steps = steps_of(section)
        value = value_at(scenario, steps)
        word = "default" if value is None else value
        if isinstance(word, str) and word in words and any(path.startswith(f"{section}.") for path in paths):
            scenario = with_value(scenario, steps, words[word])
    return scenario


def formula_at(positions: Positions, loc: Loc, text: str, problems: list[Problem]) -> Formula | None:
    """Returns a formula of a study file, or adds what is wrong with it to the problems."""
    try:
        return Formula(text)
    except FormulaError as error:
        problems.append(positions.problem(loc, str(error)))
        return None


def _count(
    file: StudyFile, positions: Positions, found: dict[str, Variation], problems: list[Problem]
) -> int:
    """Returns the number of runs, and adds what is wrong with it to the problems."""
    if file.grid == (file.runs is not None):
        sentence = "should be a number of runs with random values, or grid: true; not both, and not neither"
        problems.append(positions.problem(("runs",), sentence))
    cells = [each.cells for each in found.values() if each.cells is not None]
    runs = file.runs or (math.prod(cells) if file.grid else 0)
    if runs > MOST_RUNS:
        many = _number_of(runs)
        product = " x ".join(f"{n}" for n in cells[:8]) + (" x ..." if len(cells) > 8 else "")
        sentence = f"is {product} = {many} runs" if file.grid else f"is {many} runs"
        loc = ("vary",) if file.grid else ("runs",)
        problems.append(positions.problem(loc, f"{sentence}; a study may have {MOST_RUNS} at most"))
    if file.grid and found and not cells:
        problems.append(
            positions.problem(("grid",), "needs a list, a range, or steps: all values are random")
        )
    return runs


def with_runs(problems: Iterable[Problem], runs: int) -> Iterator[Problem]:
    """Yields problems of a study, of which the last says how many runs the study would take."""
    ordered = ConfigError(*problems).problems
    yield from ordered[:-1]
    last = ordered[-1]
    sentence = f"{last.sentence} (the study would take {_number_of(runs)} runs)"
    yield Problem(sentence, last.file, last.line, last.column, last.key)


def _number_of(runs: int) -> str:
    """Returns a number of runs as text; Python refuses to write out one of thousands of digits."""
    return str(runs) if runs < 10**18 else "over 10^18"


def _misfits(study: Study) -> Iterator[Problem]:
    """Finds values that scenario, gains or robot do not allow."""
    values = study.values(0)
    first = {each.path: values[each.path] for each in study.parameters}
    for path in list(first):
        try:
            study.task_of(0, {path: first[path]})
        except PlaceError as error:
            yield study.positions.problem(("vary", path), str(error))
            del first[path]
    seen: set[tuple[str, str]] = set()
    for parameter in study.parameters:
        if parameter.path not in first:
            continue
        for value in parameter.variation.extremes()[:CHECKED_VALUES]:
            for problem in _problems_of(study, {**first, parameter.path: value}):
                if (problem.key, problem.sentence) not in seen:
                    seen.add((problem.key, problem.sentence))
                    yield problem
    if not first:
        yield from _problems_of(study, {})


def _problems_of(study: Study, values: dict[str, Any]) -> Iterator[Problem]:
    """Finds what is wrong with one combination of values, each at its line of the study."""
    try:
        prepare(study.task_of(0, values).plan(), study.robot)
    except ConfigError as error:
        for problem in error.problems:
            yield _located(study, problem, values)


def _located(study: Study, problem: Problem, values: dict[str, Any]) -> Problem:
    """Returns a problem of a run at the line of the study that causes it."""
    from_gains = str(problem.file or "").startswith("--set")
    if problem.file is not None and not from_gains:
        return problem
    key = f"{GAINS}.{problem.key}" if from_gains else problem.key
    cause = [name for name in values if key == name or key.startswith((f"{name}.", f"{name}["))]
    if cause:
        return study.positions.problem(("vary", cause[0]), problem.sentence)
    if from_gains:
        return problem
    try:
        steps = steps_of(problem.key) if problem.key else ()
    except PlaceError:
        steps = ()
    return study.positions.problem(("scenario", *steps), problem.sentence)
