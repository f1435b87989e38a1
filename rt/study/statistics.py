"""Statistics of studies: intervals of success rates, and whether one study is better than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm, rankdata

CONFIDENCE = 0.95
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Rate:
    """A success rate with its interval of confidence.

    Attributes:
        successes, of: numbers of runs.
        rate: successes over runs.
        low, high: bounds of the interval.
    """

    successes: int
    of: int
    rate: float
    low: float
    high: float


def wilson(successes: int, of: int, confidence: float = CONFIDENCE) -> Rate:
    """Returns a success rate with Wilson's score interval, which holds near 0 and 1 too.

    Args:
        successes: number of successes, 0 to `of`.
        of: number of runs, > 0.
        confidence: probability with which the interval contains the true rate.

    Raises:
        ValueError: the numbers are not possible.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    """
    if not 0 <= successes <= of or of == 0:
        raise ValueError(f"{successes} of {of} runs is no rate")
    z = float(norm.ppf(0.5 + 0.5 * confidence))
    rate = successes / of
    scale = 1.0 / (1.0 + z * z / of)
    middle = scale * (rate + z * z / (2.0 * of))
    half = scale * z * math.sqrt(rate * (1.0 - rate) / of + z * z / (4.0 * of * of))
    # At 0 and 1 the bound is exact; rounding must not put it beside the rate.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == of else min(1.0, middle + half)
    return Rate(successes, of, rate, low, high)


def mcnemar(only_a: int, only_b: int) -> float:
    """Returns the exact two-sided p-value that two studies with common seeds differ by chance only.

    Args:
        only_a: number of runs in which only the first was a success.
        only_b: number of runs in which only the second was a success.

    Source: McNemar, Psychometrika 12 (1947), with the binomial distribution in place of chi squared.
    """
    both = only_a + only_b
    return float(binomtest(only_b, both, 0.5).pvalue) if both else 1.0


@dataclass(frozen=True)
class SignedRank:
    """Wilcoxon's signed-rank test of paired differences, exact also with ties.

    Attributes:
        p: two-sided probability of ranks at least as uneven if each difference is equally likely to have
            either sign.
        p_less, p_greater: one-sided probabilities, of differences at least as far below or above zero.
    """

    p: float
    p_less: float
    p_greater: float


def signed_rank(differences: Sequence[float]) -> SignedRank:
    """Tests whether paired differences are around zero.

    Differences of zero say nothing and are left out. Equal sizes share the mean of their ranks; the
    probabilities are those of all 2^n signs of the given ranks, counted exactly.

    Args:
        differences: finite numbers.

    Raises:
        ValueError: a difference is not finite.

    Source: Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1 (1945).
    """
    given = np.asarray(differences, dtype=float)
    if not np.isfinite(given).all():
        raise ValueError("a difference is not finite")
    given = given[given != 0.0]
    # Twice a mean rank is a whole number.
    ranks = np.rint(2.0 * rankdata(np.abs(given))).astype(int)
    probability = np.ones(1)
    for rank in ranks.tolist():
        longer = np.zeros(len(probability) + rank)
        longer[: len(probability)] += 0.5 * probability
        longer[rank:] += 0.5 * probability
        probability = longer
    positive = int(ranks[given > 0.0].sum())
    p_less = min(1.0, float(probability[: positive + 1].sum()))
    p_greater = min(1.0, float(probability[positive:].sum()))
    return SignedRank(min(1.0, 2.0 * min(p_less, p_greater)), p_less, p_greater)
