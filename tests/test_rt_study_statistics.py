"""Intervals of success rates, and the tests of two studies and of two sets of costs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata, wilcoxon

from kilohertz.rt.study.statistics import mcnemar, signed_rank, wilson


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


@given(st.lists(st.integers(-4, 4), max_size=8))
def test_signed_ranks_are_counted_over_all_signs_also_with_ties_and_zeros(differences: list[int]) -> None:
    found = signed_rank(differences)
    given = np.array([each for each in differences if each], dtype=float)
    ranks = rankdata(np.abs(given))
    observed = ranks[given > 0].sum()
    sums = [ranks @ np.array(signs) for signs in itertools.product((0, 1), repeat=len(given))]
    assert found.p_less == pytest.approx(np.mean([each <= observed for each in sums]))
    assert found.p_greater == pytest.approx(np.mean([each >= observed for each in sums]))
    assert found.p == pytest.approx(min(1.0, 2.0 * min(found.p_less, found.p_greater)))


@pytest.mark.parametrize("count", [6, 20, 50])
def test_without_ties_the_test_is_that_of_another_library(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.3, 1.0, count)
    theirs = wilcoxon(differences, method="exact")
    assert signed_rank(differences).p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert signed_rank(-differences).p_less == pytest.approx(signed_rank(differences).p_greater)


def test_six_of_six_are_significant_five_of_five_are_not_and_no_number_is_refused() -> None:
    assert signed_rank([-1.0] * 6).p == pytest.approx(2 * 0.5**6)
    assert signed_rank([-1.0] * 5).p > 0.05
    assert signed_rank([0.0] * 9).p == 1.0
    with pytest.raises(ValueError, match="not finite"):
        signed_rank([1.0, float("nan")])
