"""Thresholds of falling success rates: known curves, intervals that hold what they promise, open bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kilohertz.rt.study.thresholds import threshold

TESTED = (4.0, 36.0)
MIDDLE, WIDTH = 20.0, 2.0


def runs(number: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    size = generator.uniform(*TESTED, number)
    return size, generator.random(number) < 1.0 / (1.0 + np.exp((size - MIDDLE) / WIDTH))


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_many_runs_find_the_curve(level: float) -> None:
    true = MIDDLE - WIDTH * math.log(level / (1.0 - level))
    found = threshold(*runs(3000, np.random.default_rng(1)), TESTED, level)
    assert found.estimate is not None
    assert found.low is not None
    assert found.high is not None
    assert abs(found.estimate - true) < 1.0
    assert found.low < true < found.high
    assert found.high - found.low < 3.0


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_of_few_runs_hold_the_true_value(level: float) -> None:
    true = MIDDLE - WIDTH * math.log(level / (1.0 - level))
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(60):
        found = threshold(*runs(20, generator), TESTED, level)
        held += (found.low is None or found.low <= true) and (found.high is None or true <= found.high)
    # Nominally 57 of 60.
    assert held >= 50


def test_successes_below_failures_bound_the_threshold() -> None:
    size = np.array([5.0, 10.0, 15.0, 25.0, 30.0, 35.0])
    # Six runs are too few for a bound on either side; then there is no estimate.
    few = threshold(size, size < 20.0, TESTED, 0.5)
    assert not few.bounded
    assert few.estimate is None
    some = np.repeat(size, 4)
    assert threshold(some, some < 20.0, TESTED, 0.5).estimate == pytest.approx(20.0, abs=0.5)
    more = np.repeat(size, 20)
    sharper = threshold(more, more < 20.0, TESTED, 0.5)
    assert sharper.low is not None
    assert sharper.high is not None
    assert 13.0 < sharper.low < 15.5
    assert 24.5 < sharper.high < 27.0


@pytest.mark.parametrize("good", [True, False], ids=["success", "failure"])
def test_without_a_change_there_is_a_bound_on_one_side_only(good: bool) -> None:
    size = np.linspace(*TESTED, 40)
    found = threshold(size, np.full(40, good), TESTED, 0.5)
    assert found.estimate is None
    assert found.above is good
    assert (found.low is not None, found.high is not None) == (good, not good)


def test_a_run_says_next_to_nothing() -> None:
    found = threshold(np.array([20.0]), np.array([True]), TESTED, 0.5)
    assert (found.estimate, found.low, found.high) == (None, None, None)
