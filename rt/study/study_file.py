"""The content of a study file, and what it says about the values that vary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from kilohertz.robots.config.config_error import Problem
from kilohertz.robots.config.yaml_file import Config, Positions, value_at
from kilohertz.rt.study.places import PlaceError, steps_of
from kilohertz.rt.study.tune_section import TuneSection
from kilohertz.rt.study.variation import Listed, Polar, Range, Uniform, Variation

SEED = "seed"
GAINS = "gains"
WORDS = ("range", "uniform", "polar")
LARGEST_SEED = 2**63 - 1
LARGEST = 1e9
MOST_STEPS = 1_000_000

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f/]+$")]


class StudyFile(Config):
    """The content of a study file.

    Attributes:
        name: name of the study.
        robot: name of a shipped robot, or folder of a robot, relative to the study.
        scenario: name of a shipped scenario, file relative to the study, or the content of one.
        runs: number of runs, each with random values; not together with `grid`.
        grid: whether the runs take every combination of the values; values without a number of steps are then
            drawn at random in each run.
        vary: values by parameter: `seed`, a path into the scenario, or `gains.` and the key of a gain.
        outcome: formula over the summary that is true for a success.
        sampler_seed: random seed of the values that vary; the same seed gives the same study.
        gains: gains file instead of the robot's own, relative to the study.
        solver: solver instead of the one in the gains.
        duration_s: duration of each run, instead of that of the scenario.
        timeout_s: wall-clock time after which a run counts as hung; without it, 60 s and 30 s per simulated
            second.
        tune: what `khz tune` searches; `khz sweep` takes no notice of it.
    """

    name: Name
    robot: str = Field(min_length=1)
    scenario: str | dict[str, Any]
    runs: int | None = Field(default=None, ge=1)
    grid: bool = False
    vary: dict[str, Any] = Field(default={})
    outcome: str = "not fell"
    sampler_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    gains: str | None = None
    solver: Literal["osqp", "exact"] | None = None
    duration_s: float | None = Field(default=None, gt=0, le=86400)
    timeout_s: float | None = Field(default=None, gt=0, le=1e6)
    tune: TuneSection | None = None


class WordError(ValueError):
    """What varies is not said in a way that can be used.

    Args:
        sentence: continues the name of the key.
        inside: path of the key inside the parameter's entry.
        candidates: words that may be meant.
    """

    def __init__(
        self, sentence: str, inside: tuple[str | int, ...] = (), candidates: tuple[str, ...] = ()
    ) -> None:
        super().__init__(sentence)
        self.sentence, self.inside, self.candidates = sentence, inside, candidates


def variations(positions: Positions, scenario: Any) -> tuple[dict[str, Variation], list[Problem]]:
    """Reads what varies in a study.

    Args:
        positions: the parsed study file.
        scenario: plain content of its scenario; vectors keep their further components from it.

    Returns:
        The variation of each parameter that is said right, and the problems of the others.
    """
    found: dict[str, Variation] = {}
    problems = []
    for path, entry in (positions.value(("vary",)) or {}).items():
        loc = ("vary", path)
        try:
            steps = steps_of(path)
            found[path] = variation(entry, value_at(scenario, steps), integer=path == SEED)
        except PlaceError as error:
            problems.append(positions.problem(loc, str(error)))
        except WordError as error:
            problems.append(positions.problem((*loc, *error.inside), error.sentence, error.candidates))
    return found, problems


def variation(entry: Any, base: Any, *, integer: bool) -> Variation:
    """Reads the entry of one parameter.

    Args:
        entry: plain data: a list of values, or a map with `range`, `uniform` or `polar`.
        base: value of the parameter in the scenario; None if it has none.
        integer: whether the values must be whole numbers of at least 0, as for a seed.

    Raises:
        WordError: the entry cannot be used.
    """
    if isinstance(entry, list):
        return _listed(entry, integer=integer)
    if not isinstance(entry, Mapping):
        raise WordError("should be a list of values, or a map with range, uniform or polar")
    words = [word for word in entry if word != "steps"]
    for word in words:
        if word not in WORDS:
            raise WordError(f"is no way to vary: there are {', '.join(WORDS)}, or a list", (word,), WORDS)
    if len(words) != 1:
        raise WordError("should be a list of values, or a map with exactly one of range, uniform and polar")
    steps = entry.get("steps")
    if words[0] == "range":
        if steps is not None:
            raise WordError("is for uniform and polar: a range has its numbers", ("steps",))
        return _range(entry["range"], least=0 if integer else None)
    if integer:
        raise WordError("gives no whole numbers: use a list or range", (words[0],))
    if words[0] == "uniform":
        low, high = _interval(entry["uniform"], ("uniform",))
        return Uniform(low, high, None if steps is None else _steps(steps, ("steps",)))
    return _polar(entry["polar"], steps, base)


def _listed(entry: list[Any], *, integer: bool) -> Listed:
    if not entry:
        raise WordError("is an empty list: it would take 0 runs")
    for i, value in enumerate(entry):
        if not _finite(value):
            raise WordError("should be finite", (i,))
        if integer and not (_whole(value) and 0 <= value <= LARGEST_SEED):
            raise WordError(f"should be a whole number of at least 0, not {value!r}", (i,))
    return Listed(tuple(entry))


def _finite(value: Any) -> bool:
    """Returns whether all numbers of plain data are finite."""
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _range(value: Any, least: int | None) -> Range:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_whole, value))):
        raise WordError("should be two whole numbers [first, last + 1]", ("range",))
    start, stop = value
    if stop - start > LARGEST_SEED:
        raise WordError(f"has more than {LARGEST_SEED} numbers", ("range",))
    if start >= stop:
        raise WordError(f"is empty: from {start} to {stop - 1} there is no number", ("range",))
    if (least is not None and start < least) or max(abs(start), abs(stop)) > LARGEST_SEED:
        raise WordError(f"should be between {least or -LARGEST_SEED} and {LARGEST_SEED}", ("range",))
    return Range(start, stop)


def _interval(value: Any, inside: tuple[str | int, ...]) -> tuple[float, float]:
    numbers = (
        isinstance(value, list) and len(value) == 2 and all(_whole(x) or type(x) is float for x in value)
    )
    if not numbers or not all(abs(x) <= LARGEST for x in value):
        raise WordError("should be two finite numbers [low, high]", inside)
    low, high = (float(x) for x in value)
    if low > high:
        raise WordError(f"is empty: {low:g} is above {high:g}", inside)
    return low, high


def _steps(value: Any, inside: tuple[str | int, ...]) -> int:
    if not _whole(value) or not 1 <= value <= MOST_STEPS:
        raise WordError(f"should be a whole number from 1 to {MOST_STEPS}", inside)
    return int(value)


def _polar(value: Any, steps: Any, base: Any) -> Polar:
    if not isinstance(value, Mapping) or set(value) != {"magnitude", "angle_rad"}:
        raise WordError("should be {magnitude: [low, high], angle_rad: [low, high]}", ("polar",))
    magnitude = _interval(value["magnitude"], ("polar", "magnitude"))
    angle_rad = _interval(value["angle_rad"], ("polar", "angle_rad"))
    if steps is not None and not (isinstance(steps, list) and len(steps) == 2):
        raise WordError("should be two whole numbers [magnitudes, angles]", ("steps",))
    counts = None if steps is None else (_steps(steps[0], ("steps", 0)), _steps(steps[1], ("steps", 1)))
    if not (
        isinstance(base, list) and len(base) in (2, 3) and all(_whole(x) or type(x) is float for x in base)
    ):
        raise WordError("needs a vector of two or three numbers in the scenario, whose first two it replaces")
    return Polar(magnitude, angle_rad, counts, tuple(float(x) for x in base[2:]))
