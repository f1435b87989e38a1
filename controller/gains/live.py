"""Live gains: the gains that may change while a robot runs, as a row of numbers that the tick reads.

Gains that tasks and joint barriers use directly can change while the robot runs. Gains from which the gait,
the estimator or the guard is built need a restart. Live gains are changed from another process, which checks
each row; the controller checks it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel

from kilohertz.controller.gains.ranges import bounds_of
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.model.rows import Vector

LIVE = (
    "com",
    "base",
    "trunk",
    "posture",
    "angular_momentum",
    "hand",
    "walk.swing",
    "walk.dcm_gain_per_s",
    "walk.heading_weight",
    "walk.spin_weight",
    "walk.arm_weight",
    "contact.damping_per_s",
    "limits",
    "estimator.arm.disturbance_per_s",
    "estimator.arm.largest_compensation",
)
"""Sections and keys of gains.yaml that may change while the robot runs."""
LARGEST_RATIO = 4.0
"""Largest ratio between the old and the new value of a gain in one change.

A larger ratio is probably a typing error; otherwise make the change in several steps.
"""

Path = tuple[str, ...]
"""Keys from the top of gains.yaml down to one value."""


@cache
def live_paths() -> tuple[Path, ...]:
    """Returns the path in gains.yaml of each number of a row."""
    return tuple(path for key in LIVE for path in _numbers_below(tuple(key.split("."))))


def _numbers_below(path: Path) -> Iterator[Path]:
    default = _at(Gains(), path)
    if not isinstance(default, BaseModel):
        yield path
        return
    for name in type(default).model_fields:
        yield from _numbers_below((*path, name))


def _at(gains: BaseModel, path: Path) -> Any:
    value: Any = gains
    for name in path:
        value = getattr(value, name)
    return value


@cache
def live_bounds() -> tuple[Vector, Vector]:
    """Returns the smallest and the largest allowed value of each number, in the order of `live_paths`."""
    low, high = np.full(len(live_paths()), -np.inf), np.full(len(live_paths()), np.inf)
    for i, path in enumerate(live_paths()):
        section = _at(Gains(), path[:-1])
        low[i], high[i] = bounds_of(type(section).model_fields[path[-1]])
    return low, high


def live_numbers(gains: Gains) -> Vector:
    """Returns the values of the live gains, in the order of `live_paths`."""
    return np.array([_at(gains, path) for path in live_paths()])


def with_numbers(gains: Gains, numbers: Vector) -> Gains:
    """Returns a copy of the gains with other live values, which are not checked.

    Args:
        gains: the gains to copy.
        numbers: values of the live gains, in the order of `live_paths`.
    """
    changes: dict[str, Any] = {}
    for path, value in zip(live_paths(), numbers.tolist(), strict=True):
        section = changes
        for name in path[:-1]:
            section = section.setdefault(name, {})
        section[path[-1]] = value
    tuned: Gains = _updated(gains, changes)
    return tuned


def _updated(model: Any, changes: dict[str, Any]) -> Any:
    fresh = {
        name: _updated(getattr(model, name), value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return model.model_copy(update=fresh)


def changes(before: Gains, after: Gains) -> Iterator[tuple[Path, Any, Any]]:
    """Yields the path of every value that differs between two gains, with its value before and after."""
    yield from _changes((), before, after)


def _changes(path: Path, before: Any, after: Any) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(before, BaseModel) and type(before) is type(after):
        for name in type(before).model_fields:
            yield from _changes((*path, name), getattr(before, name), getattr(after, name))
    elif before != after:
        yield path, before, after


def objections(before: Gains, after: Gains) -> Iterator[tuple[Path, str]]:
    """Yields each change of the gains that is not allowed while the robot runs: path and reason.

    Args:
        before: gains that are in force.
        after: gains that should come into force.
    """
    live = set(live_paths())
    for path, old, new in changes(before, after):
        if path not in live:
            yield path, "cannot change while the robot runs: restart with this value to use it"
        elif "weight" in path[-1] and (old == 0.0 or new == 0.0):
            yield path, f"cannot change from {old:g} to {new:g} while the robot runs: 0 leaves the task out"
        elif new > LARGEST_RATIO * old > 0.0 or 0.0 < new * LARGEST_RATIO < old:
            yield (
                path,
                f"should change by {LARGEST_RATIO:g} times at most at once, not from {old:g} to {new:g}",
            )


class GainsRow:
    """Live gains as a row of numbers, the form in which the tick receives them.

    Attributes:
        generation: number of the change, counted up; 0 for the gains that the controller was made with.
        numbers: values of the live gains, in the order of `live_paths`.
    """

    def __init__(self, gains: Gains) -> None:
        self.generation = 0
        self.numbers = live_numbers(gains)

    def sound(self) -> bool:
        """Whether every number lies within its bounds; NaN never does."""
        low, high = live_bounds()
        # Every comparison with NaN is false.
        return bool(((self.numbers >= low) & (self.numbers <= high)).all())
