from __future__ import annotations

import numpy as np
import pytest
from gaits import WalkingRun

from estimators.divergence import STEPPING_S, WINDOW_S, doubt_filter
from estimators.inekf_layout import STATE_V

DT_S = 1e-3
TRUST = np.array([15.0, 0.0076, 0.05])


def moving(speed):
    """A filter's state: upright, at this speed [m/s]."""
    x = np.zeros(30)
    x[:9] = np.eye(3).ravel()
    x[STATE_V] = speed
    return x


def doubt(surprises, ticks=300, active=(2, 2), P=None, speed=1.0):
    """How much is doubted after contacts have surprised by so much, for so long."""
    disagreement, result = np.zeros(1), np.zeros(1)
    surprise = np.zeros((len(active), 2))
    surprise[:, 1] = surprises
    P = np.zeros((9, 9)) if P is None else P
    x, level = moving(speed), np.array([np.eye(3)] * len(active))
    still = np.zeros((len(active), 2)), np.zeros((len(active), 2)), np.array([speed, 0.0])
    for _ in range(ticks):
        doubt_filter(DT_S, x, np.array(active), surprise, P, level, TRUST, disagreement, *still, result)
    return float(result[0])


def test_what_surprises_one_foot_alone_is_that_foots_fault():
    assert doubt((1000.0, 0.1)) < 1.0


def test_what_surprises_both_for_long_is_the_imus():
    assert doubt((10.0, 8.0)) > 1.0
    assert doubt((10.0, 8.0), ticks=10) < 1.0
    assert doubt((1000.0, 1000.0), ticks=5) > 1.0


def test_at_rest_less_is_believed():
    assert doubt((3.0, 3.0), speed=0.0) == pytest.approx(3.0 * doubt((3.0, 3.0), speed=1.0))


def test_a_single_contact_says_nothing():
    assert doubt((1000.0, 1000.0), active=(2, 0)) == 0.0


def test_a_window_is_a_twentieth_of_a_second():
    assert doubt((15.0, 15.0), ticks=round(WINDOW_S / DT_S)) == pytest.approx(
        2.0 * (1 - np.exp(-1)), rel=0.02
    )


def turned_soles(rates, ticks=300, active=(2, 2), stepping_s=0.0):
    """How much is doubted where soles seem to turn about y at these rates [rad/s]."""
    result, disagreement = np.zeros(1), np.zeros(1)
    upright, turned = np.zeros((2, 2)), np.zeros((2, 2))
    surprise, P, R_IF = np.zeros((2, 2)), np.zeros((9, 9)), np.zeros((2, 3, 3))
    unrest = np.array([1.0, stepping_s])
    for k in range(ticks):
        for c, rate in enumerate(rates):
            angle = rate * (k + 1) * DT_S
            s, cosine = np.sin(angle), np.cos(angle)
            R_IF[c] = [[cosine, 0, s], [0, 1, 0], [-s, 0, cosine]]
        still = upright, turned, unrest
        doubt_filter(
            DT_S, moving(1.0), np.array(active), surprise, P, R_IF, TRUST, disagreement, *still, result
        )
    return float(result[0])


def test_all_soles_that_turn_together_turn_with_the_imu():
    assert turned_soles((0.3, 0.4)) > 1.0
    assert turned_soles((0.3, 0.4), ticks=50) < 1.0


def test_soles_that_have_stepped_of_late_may_turn_further():
    assert (
        turned_soles((0.3, 0.4), stepping_s=STEPPING_S)
        < 1.0
        < turned_soles((0.7, 0.8), stepping_s=STEPPING_S)
    )
    assert turned_soles((0.3, 0.4), stepping_s=0.2) > 1.0


@pytest.mark.parametrize(
    ("rates", "active"), [((0.3, 0.0), (2, 2)), ((0.3, -0.3), (2, 2)), ((0.3, 0.3), (2, 0)), ((1, 1), (1, 1))]
)
def test_one_sole_may_roll_and_two_may_turn_apart(rates, active):
    assert turned_soles(rates, active=active) < 0.5


@pytest.mark.parametrize("variance", [0.01, np.inf, np.nan])
def test_a_tilt_that_nobody_knows_is_not_believed(variance):
    P = np.zeros((9, 9))
    P[0, 0] = variance
    assert doubt((0.0, 0.0), P=P) > 1.0


def test_a_start_whose_one_sample_was_degrees_off_is_no_fault() -> None:
    # On this seed the robot still settles on its slope when the tilt is read: 10 degrees off, found in 0.2 s.
    run = WalkingRun("g1", seed=0, ground={"kind": "slope", "pitch_deg": -6.0})
    run.run(0.6, run.request("stand"))
    assert run.stands
