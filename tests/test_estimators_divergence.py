from __future__ import annotations

import numpy as np
import pytest

from estimators.divergence import WINDOW_S, doubt_filter

DT_S = 1e-3
TRUST = np.array([15.0, 0.0076])


def doubt(surprises, ticks=300, active=(2, 2), P=None):
    """How much is doubted after contacts have surprised by so much, for so long."""
    disagreement, result = np.zeros(1), np.zeros(1)
    surprise = np.zeros((len(active), 2))
    surprise[:, 1] = surprises
    P = np.zeros((9, 9)) if P is None else P
    arguments = (np.array(active), surprise, P, TRUST, disagreement, result)
    for _ in range(ticks):
        doubt_filter(DT_S, *arguments)
    return float(result[0])


def test_what_surprises_one_foot_alone_is_that_foots_fault():
    assert doubt((1000.0, 0.1)) < 1.0


def test_what_surprises_both_for_long_is_the_imus():
    assert doubt((10.0, 8.0)) > 1.0
    assert doubt((10.0, 8.0), ticks=10) < 1.0
    assert doubt((1000.0, 1000.0), ticks=5) > 1.0


def test_a_single_contact_says_nothing():
    assert doubt((1000.0, 1000.0), active=(2, 0)) == 0.0


def test_a_window_is_a_twentieth_of_a_second():
    assert doubt((15.0, 15.0), ticks=round(WINDOW_S / DT_S)) == pytest.approx(
        2.0 * (1 - np.exp(-1)), rel=0.02
    )


@pytest.mark.parametrize("variance", [0.01, np.inf, np.nan])
def test_a_tilt_that_nobody_knows_is_not_believed(variance):
    P = np.zeros((9, 9))
    P[0, 0] = variance
    assert doubt((0.0, 0.0), P=P) > 1.0
