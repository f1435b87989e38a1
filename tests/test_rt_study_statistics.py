"""Intervals of success rates, and the test of two studies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from kilohertz.rt.study.statistics import mcnemar, wilson


@given(of=st.integers(1, 5000), data=st.data())
def test_the_interval_contains_the_rate_and_is_that_of_another_library(of: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, of))
    found = wilson(successes, of)
    assert 0.0 <= found.low <= found.rate == successes / of <= found.high <= 1.0
    theirs = binomtest(successes, of).proportion_ci(method="wilson")
    assert found.low == pytest.approx(theirs.low, abs=1e-9)
    assert found.high == pytest.approx(theirs.high, abs=1e-9)


@pytest.mark.parametrize(("successes", "of"), [(0, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_no_rate(successes: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        wilson(successes, of)


def test_ten_wins_of_ten_are_significant_and_two_of_two_are_not() -> None:
    assert mcnemar(0, 10) == pytest.approx(2 * 0.5**10)
    assert mcnemar(0, 2) == pytest.approx(0.5)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(3, 8) == mcnemar(8, 3)
