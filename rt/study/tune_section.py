"""Section `tune` of a study file: which gains are searched, in which ranges, and for which cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from kilohertz.controller.gains.ranges import gain_ranges
from kilohertz.robots.config.config_error import Problem
from kilohertz.robots.config.yaml_file import Config, Positions

LEAST_FRESH = 6
"""Smallest number of pairs of runs of which the exact test can find a difference: 2 / 2^6 < 0.05."""
MOST_FRESH = 1000
GAINS_LOC = ("tune", "gains")


class TuneSection(Config):
    """Section `tune` of a study file.

    Attributes:
        gains: keys of the gains that are searched: a list, or a map from key to [low, high] or to nothing;
            without numbers the range is that of the schema.
        cost: formula over the summary that gives a number: smaller is better.
        failed_cost: cost of a run that is no success or has no cost, and the largest cost of any run.
        roll_outs: largest number of runs, those of the comparison on fresh seeds included.
        fresh_runs: number of seeds, not used by the search, on which start and result are compared.
        at_once: number of candidates that are tried at a time, before the next ones are chosen.
    """

    gains: Any
    cost: str
    failed_cost: float = Field(ge=-1e9, le=1e9)
    roll_outs: int = Field(default=200, ge=1, le=1_000_000)
    fresh_runs: int = Field(default=20, ge=LEAST_FRESH, le=MOST_FRESH)
    at_once: int = Field(default=4, ge=1, le=64)

    def wanted(self) -> dict[Any, Any]:
        """Returns what the section says of each gain, by its key; None for the range of the schema."""
        if isinstance(self.gains, Mapping):
            return dict(self.gains)
        return dict.fromkeys(self.gains) if isinstance(self.gains, list) else {}


def gain_problems(positions: Positions, section: TuneSection) -> Iterator[Problem]:
    """Yields what is wrong with the gains of the section, each at its line."""
    shape = section.gains
    if not isinstance(shape, list | Mapping) or not all(isinstance(key, str) for key in shape):
        yield positions.problem(GAINS_LOC, "should be a list of gains, or a map from gain to [low, high]")
        return
    if not shape:
        yield positions.problem(GAINS_LOC, "is empty: name at least one gain")
    ranges = gain_ranges()
    for place, key in enumerate(shape) if isinstance(shape, list) else ((key, key) for key in shape):
        loc = (*GAINS_LOC, place)
        if key not in ranges:
            sentence = f"'{key}' is no gain that is a number"
            yield positions.problem(loc, sentence, ranges, wrong=key)
            continue
        entry = section.wanted()[key]
        allowed = ranges[key]
        if entry is not None:
            sentence = _range_problem(entry, allowed.low, allowed.high)
        elif math.isfinite(allowed.low) and math.isfinite(allowed.high):
            sentence = ""
        else:
            sentence = "has no range in the schema: give one, as [low, high]"
        if sentence:
            yield positions.problem(loc, sentence)


def _range_problem(entry: Any, low: float, high: float) -> str:
    """Returns what is wrong with a declared range; empty if nothing is."""
    if not isinstance(entry, list) or len(entry) != 2 or not all(map(_finite, entry)):
        return "should be two finite numbers [low, high], or nothing for the range of the schema"
    if entry[0] >= entry[1]:
        return f"is an empty range: {entry[0]:g} is not below {entry[1]:g}"
    if entry[0] < low or entry[1] > high:
        given = f"{entry[0]:g} to {entry[1]:g}"
        return f"should be within the range of the schema, {low:g} to {high:g}, not {given}"
    return ""


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
