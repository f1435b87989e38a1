"""What varies in a study, and the value of each parameter in each run.

A value depends only on the sampler seed, the path of the parameter and the number of the run. So a study can
be resumed, prolonged or split over computers, and another parameter may be added, without moving a value.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

LARGEST_SHUFFLE = 1_000_000
"""Longest list that is shuffled; of a longer range, values are drawn independently."""
FULL_TURN = 2.0 * math.pi


class Variation(Protocol):
    """The values that a parameter takes."""

    @property
    def cells(self) -> int | None:
        """Number of values in a grid; None if the values are drawn at random in a grid too."""
        ...

    def cell(self, number: int) -> Any:
        """Returns one value of the grid."""
        ...

    def sample(self, key: Key, run: int) -> Any:
        """Returns the value of a run with samples."""
        ...

    def extremes(self) -> list[Any]:
        """Returns values that show whether all are allowed."""
        ...


@dataclass(frozen=True)
class Key:
    """Where the random values of a parameter come from.

    Args:
        sampler_seed: random seed of the study.
        path: path of the parameter.
    """

    sampler_seed: int
    path: str

    def generator(self, number: int) -> np.random.Generator:
        """Returns the random generator of one run of this parameter."""
        name = int.from_bytes(hashlib.sha256(self.path.encode()).digest()[:8], "little")
        return np.random.default_rng([self.sampler_seed, name, number])


def _shuffled(key: Key, length: int, run: int) -> int:
    """Returns a position of a list: each `length` runs in a row take each position once."""
    if length > LARGEST_SHUFFLE:
        return int(key.generator(run).integers(length))
    block, place = divmod(run, length)
    return int(key.generator(block).permutation(length)[place])


@dataclass(frozen=True)
class Listed:
    """Values from a list; samples take every value equally often."""

    values: tuple[Any, ...]

    @property
    def cells(self) -> int | None:
        """Number of values."""
        return len(self.values)

    def cell(self, number: int) -> Any:
        """Returns one value of the list."""
        return self.values[number]

    def sample(self, key: Key, run: int) -> Any:
        """Returns the value of a run."""
        return self.values[_shuffled(key, len(self.values), run)]

    def extremes(self) -> list[Any]:
        """Returns all values."""
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """Whole numbers from `start` to `stop` - 1; samples take every number equally often."""

    start: int
    stop: int

    @property
    def cells(self) -> int | None:
        """Number of values."""
        return self.stop - self.start

    def cell(self, number: int) -> Any:
        """Returns one number of the range."""
        return self.start + number

    def sample(self, key: Key, run: int) -> Any:
        """Returns the number of a run."""
        return self.start + _shuffled(key, self.stop - self.start, run)

    def extremes(self) -> list[Any]:
        """Returns the first and the last number."""
        return list(dict.fromkeys((self.start, self.stop - 1)))


@dataclass(frozen=True)
class Uniform:
    """Numbers between `low` and `high`: at random, or in a grid `steps` of them, evenly spaced."""

    low: float
    high: float
    steps: int | None = None

    @property
    def cells(self) -> int | None:
        """Number of values in a grid."""
        return self.steps

    def cell(self, number: int) -> Any:
        """Returns one value of the grid; a full turn leaves out its end, which is its beginning."""
        steps = self.steps or 1
        if steps == 1:
            return 0.5 * (self.low + self.high)
        return self.low + (self.high - self.low) * number / (steps - 1)

    def sample(self, key: Key, run: int) -> Any:
        """Returns the value of a run."""
        return self._between(key.generator(run).random())

    def _between(self, share: float) -> float:
        return self.low + (self.high - self.low) * share

    def extremes(self) -> list[Any]:
        """Returns both ends."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Polar:
    """Horizontal vectors of a magnitude and an angle from the x axis, each uniformly distributed.

    Attributes:
        magnitude, angle_rad: (low, high) of both.
        steps: number of magnitudes and of angles in a grid; None for random values.
        rest: components after the first two, such as the vertical one.
    """

    magnitude: tuple[float, float]
    angle_rad: tuple[float, float]
    steps: tuple[int, int] | None = None
    rest: tuple[float, ...] = ()

    @property
    def cells(self) -> int | None:
        """Number of values in a grid."""
        return None if self.steps is None else self.steps[0] * self.steps[1]

    def polar_cell(self, number: int) -> tuple[float, float]:
        """Returns magnitude and angle of one value of the grid."""
        n_magnitudes, n_angles = self.steps or (1, 1)
        low, high = self.angle_rad
        turns = high - low >= FULL_TURN - 1e-3
        angles = Uniform(low, low + FULL_TURN * (n_angles - 1) / n_angles if turns else high, n_angles)
        i, j = divmod(number, n_angles)
        angle: float = angles.cell(j) if n_angles > 1 or not turns else low
        return Uniform(*self.magnitude, n_magnitudes).cell(i), angle

    def cell(self, number: int) -> Any:
        """Returns one vector of the grid."""
        return self.vector(*self.polar_cell(number))

    def polar_sample(self, key: Key, run: int) -> tuple[float, float]:
        """Returns magnitude and angle of a run."""
        first, second = key.generator(run).random(2).tolist()
        return (
            self.magnitude[0] + (self.magnitude[1] - self.magnitude[0]) * first,
            self.angle_rad[0] + (self.angle_rad[1] - self.angle_rad[0]) * second,
        )

    def sample(self, key: Key, run: int) -> Any:
        """Returns the vector of a run."""
        return self.vector(*self.polar_sample(key, run))

    def vector(self, magnitude: float, angle_rad: float) -> list[float]:
        """Returns the vector of a magnitude and an angle."""
        return [magnitude * math.cos(angle_rad), magnitude * math.sin(angle_rad), *self.rest]

    def extremes(self) -> list[Any]:
        """Returns vectors of the smallest and the largest magnitude."""
        return [self.vector(magnitude, self.angle_rad[0]) for magnitude in self.magnitude]
