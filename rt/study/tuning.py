"""A checked study whose gains are searched: the gains with their ranges, the cost, and the runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilohertz.controller.gains.ranges import GainRange, gain_ranges
from kilohertz.controller.gains.schema import gains_path
from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.config.user_file import decoded, read_user_file
from kilohertz.robots.config.yaml_file import MAX_BYTES, Positions
from kilohertz.rt.run.preparation import prepare
from kilohertz.rt.study.expression import Formula
from kilohertz.rt.study.study import Study, Task, formula_at, load_study, with_runs
from kilohertz.rt.study.study_file import GAINS, SEED, StudyFile
from kilohertz.rt.study.tune_section import TuneSection, gain_problems

DIGITS = 4
"""Number of significant digits of a gain that is found; it is tried with these digits too."""
DOWN = 10.0
"""A gain that may be any number above 0 is searched down to its default or start over this number."""


@dataclass(frozen=True)
class Knob:
    """One gain that is searched.

    Attributes:
        key: its dotted key.
        low, high: range of the search.
        start: value at the start; None if it is left to the robot's size.
    """

    key: str
    low: float
    high: float
    start: float | None

    @property
    def log(self) -> bool:
        """Whether ratios count, not differences: so it is for a range of positive numbers."""
        return self.low > 0.0

    def rounded(self, value: float) -> float:
        """Returns a value with the digits that are written, within the range."""
        return min(self.high, max(self.low, float(f"{value:.{DIGITS}g}")))

    @property
    def start_inside(self) -> bool:
        """Whether the start is a value within the range."""
        return self.start is not None and self.low <= self.start <= self.high


@dataclass(frozen=True)
class Tuning:
    """A checked search for gains.

    Attributes:
        study: the study; its runs are the common runs of all candidates.
        section: section `tune` of its file.
        knobs: the gains that are searched, in the order of the file.
        cost: formula of the cost.
        start_text: text of the gains file that the search starts from; empty if the robot has none.
    """

    study: Study
    section: TuneSection
    knobs: tuple[Knob, ...]
    cost: Formula
    start_text: str

    @property
    def search_runs(self) -> int:
        """Number of runs that the search may take: the rest is for the comparison."""
        return self.section.roll_outs - 2 * self.section.fresh_runs

    def task(self, run: int, gains: Mapping[str, float]) -> Task:
        """Returns one run of the study with some gains replaced; those of the start without any."""
        return self.study.task(run, [f"{key}={json.dumps(value)}" for key, value in gains.items()])

    def identity(self, search: str) -> str:
        """Returns a hash of all that the runs and their order follow from.

        Args:
            search: name and version of what chooses the candidates.
        """
        section = self.section.model_dump(mode="json")
        content = [self.study.identity(), self.study.runs, section, search]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def load_tuning(path: Path, gains: Path | None = None) -> Tuning:
    """Reads and checks a study with the section `tune`.

    Args:
        path: the study file.
        gains: gains file to start from, instead of the one of the study.

    Raises:
        ConfigError: the study cannot be used; one line per problem, with file and line, and the number of
            runs that it would take.
    """
    study = load_study(path, gains, further=_check)
    section = study.file.tune
    assert section is not None  # `_check` refuses a study without it
    problems = list(_used_twice(study, section))
    if problems:
        raise ConfigError(*with_runs(problems, section.roll_outs))
    started = prepare(study.task(0).plan(), study.robot).gains
    ranges = gain_ranges()
    knobs = tuple(
        _knob(key, entry, ranges[key], _value(started, key)) for key, entry in section.wanted().items()
    )
    file = study.gains or gains_path(study.robot)
    text = "" if file is None else decoded(read_user_file(file, MAX_BYTES), file)
    return Tuning(study, section, knobs, Formula(section.cost), text)


def _check(file: StudyFile, positions: Positions) -> tuple[list[Problem], int]:
    """Finds what is wrong with the section, and returns the number of runs that the study would take."""
    section = file.tune
    if section is None:
        sentence = "is missing: give gains, cost and failed_cost of the search (.docs/tutorials/study.md)"
        return [positions.problem(("tune",), sentence)], file.runs or 0
    problems = list(gain_problems(positions, section))
    formula_at(positions, ("tune", "cost"), section.cost, problems)
    if file.grid:
        problems.append(positions.problem(("grid",), "is not for a search: give runs, each with its seed"))
    if SEED not in file.vary:
        sentence = "needs a seed, such as `seed: {range: [0, 1000]}`: the result is compared on other seeds"
        problems.append(positions.problem(("vary",), sentence))
    for key in section.wanted():
        if f"{GAINS}.{key}" in file.vary:
            problems.append(
                positions.problem(("vary", f"{GAINS}.{key}"), "is searched: it cannot vary as well")
            )
    least = 2 * section.fresh_runs + 2 * (file.runs or 1)
    if section.roll_outs < least:
        sentence = (
            f"should be at least {least}: {section.fresh_runs} fresh runs and {file.runs or 1} common runs, "
            "each with two sets of gains"
        )
        problems.append(positions.problem(("tune", "roll_outs"), sentence))
    return problems, section.roll_outs


def _used_twice(study: Study, section: TuneSection) -> list[Problem]:
    """Returns the problem that runs of the comparison would have seeds of the search, or of each other."""
    wanted = study.runs + section.fresh_runs
    seeds = [study.values(run)[SEED] for run in range(wanted)]
    common, fresh = seeds[: study.runs], seeds[study.runs :]
    if len(set(fresh)) == len(fresh) and not set(fresh) & set(common):
        return []
    sentence = (
        f"should have at least {wanted} different numbers: {study.runs} for the search and "
        f"{section.fresh_runs} that it does not use"
    )
    return [study.positions.problem(("vary", SEED), sentence)]


def _knob(key: str, entry: Any, allowed: GainRange, start: float | None) -> Knob:
    if entry is not None:
        return Knob(key, float(entry[0]), float(entry[1]), start)
    known = [value for value in (allowed.default, start) if value is not None and value > 0.0]
    low = allowed.low
    # A range from 0 has no smallest ratio; far below default and start there is nothing to find.
    if 0.0 <= low < math.ulp(1.0) and known:
        low = min(known) / DOWN
    return Knob(key, low, allowed.high, start)


def _value(gains: Any, key: str) -> float | None:
    for name in key.split("."):
        gains = getattr(gains, name)
    return None if gains is None else float(gains)
