from __future__ import annotations

import math

import numpy as np
import pytest
from gaits import WalkingRun

from kilohertz.estimators.divergence import FINDING_S, STEPPING_S, WINDOW_S, Trust, doubt_filter
from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.kernel_setup import new_doubt

DT_S = 1e-3
TRUST = Trust(
    disagreement=15.0,
    tilt_variance_rad2=0.0076,
    turn_rad=0.05,
    gyro_turn_rad=0.03,
    opposed_m2_s3=5.0,
    contradiction_m_s2=0.5,
)
LEVEL = np.array([np.eye(3)] * 2)


class Doubted:
    """A filter and what the world says of it, sample by sample."""

    def __init__(self, active=(2, 2), speed=1.0, stepping_s=0.0, since_reset_s=1.0):
        self.ekf = InvariantEkf(2)
        self.ekf.v_WI[0] = speed
        self.ekf.active[:] = active
        self.P, self.poses = self.ekf.P, self.ekf.poses
        self.arrays = new_doubt(2)
        self.contradiction, self.doubt = self.arrays.contradiction_m_s2, self.arrays.doubt
        self.arrays.speed_m_s[0], self.arrays.stepping_s[0] = speed, stepping_s
        self.arrays.since_reset_s[0] = since_reset_s

    def sample(self, surprises=(0.0, 0.0), R_IF=LEVEL):
        self.ekf.surprise[:] = [(0.0, s) for s in surprises]
        self.poses.R_IF[:] = R_IF
        doubt_filter(DT_S, self.ekf.arrays, self.poses, TRUST, self.arrays)
        return float(self.doubt[0])


def doubt(surprises, ticks=300, **how):
    """How much is doubted after contacts have surprised by so much, for so long."""
    doubted = Doubted(**how)
    for _ in range(ticks):
        doubted.sample(surprises)
    return float(doubted.doubt[0])


def test_a_large_innovation_of_one_foot_is_attributed_to_that_foot():
    assert doubt((1000.0, 0.1)) < 1.0


def test_a_lasting_innovation_of_both_feet_is_attributed_to_the_imu():
    assert doubt((10.0, 8.0)) > 1.0
    assert doubt((10.0, 8.0), ticks=10) < 1.0
    assert doubt((1000.0, 1000.0), ticks=5) > 1.0


def test_at_rest_innovations_count_as_much_as_in_motion():
    assert doubt((3.0, 3.0), speed=0.0) == pytest.approx(doubt((3.0, 3.0), speed=1.0))


def test_shortly_after_a_step_a_landing_on_both_heels_is_tolerated():
    assert doubt((12.0, 12.0), ticks=100) > 1.0 > doubt((12.0, 12.0), ticks=100, stepping_s=STEPPING_S)


def test_a_single_contact_gives_no_verdict():
    assert doubt((1000.0, 1000.0), active=(2, 0)) == 0.0


def test_a_window_is_a_twentieth_of_a_second():
    assert doubt((15.0, 15.0), ticks=round(WINDOW_S / DT_S)) == pytest.approx(
        2.0 * (1 - np.exp(-1)), rel=0.02
    )


def turned_soles(rates, ticks=300, **how):
    """How much is doubted where soles seem to turn about y at these rates [rad/s]."""
    doubted = Doubted(**how)
    R_IF = np.zeros((2, 3, 3))
    for k in range(ticks):
        for c, rate in enumerate(rates):
            angle = rate * (k + 1) * DT_S
            s, cosine = np.sin(angle), np.cos(angle)
            R_IF[c] = [[cosine, 0, s], [0, 1, 0], [-s, 0, cosine]]
        doubted.sample(R_IF=R_IF)
    return float(doubted.doubt[0])


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
def test_a_tilt_with_large_covariance_is_a_divergence(variance):
    doubted = Doubted()
    doubted.P[0, 0] = variance
    assert doubted.sample() > 1.0


@pytest.mark.parametrize("active", [(2, 2), (2, 0), (1, 0)])
def test_legs_that_contradict_the_accelerometer_are_believed_on_any_foot_at_any_speed(active):
    for speed in (0.0, 1.0):
        doubted = Doubted(active, speed)
        doubted.contradiction[0] = 0.99 * TRUST.contradiction_m_s2
        assert doubted.sample() == pytest.approx(0.99)
        doubted.contradiction[0] = 1.01 * TRUST.contradiction_m_s2
        assert doubted.sample() > 1.0


def test_a_contradiction_that_is_not_a_number_is_not_believed():
    doubted = Doubted()
    doubted.contradiction[0] = math.nan
    assert not doubted.sample() <= 1.0


def test_sole_motion_is_tolerated_while_the_tilt_is_still_converging():
    ticks = round(FINDING_S / DT_S)
    assert doubt((1000.0, 1000.0), ticks=ticks - 1, since_reset_s=0.0) == 0.0
    assert doubt((1000.0, 1000.0), ticks=ticks + 5, since_reset_s=0.0) > 1.0
    assert turned_soles((1.0, 1.0), ticks=ticks - 1, since_reset_s=0.0) == 0.0
    assert turned_soles((1.0, 1.0), ticks=2 * ticks, since_reset_s=0.0) > 1.0


def test_a_start_whose_one_sample_was_degrees_off_is_no_fault() -> None:
    # On this seed the robot still settles on its slope when the tilt is read: 10 degrees off, found in 0.2 s.
    run = WalkingRun("g1", seed=0, ground={"kind": "slope", "pitch_deg": -6.0})
    run.run(0.6, run.request("stand"))
    assert run.stands


def wrong(spun=0.0, gyro_turn=0.0, contradiction=0.0):
    """Doubt of a moving robot by what a wrong gyro causes, each as a fraction of its bound."""
    doubted = Doubted()
    doubted.arrays.spun_rad[0] = spun * 0.75 * TRUST.turn_rad
    doubted.arrays.gyro_turn_rad[0] = gyro_turn * TRUST.gyro_turn_rad
    doubted.contradiction[0] = contradiction * TRUST.contradiction_m_s2
    return doubted.sample()


def test_each_effect_of_a_wrong_gyro_alone_has_its_bound():
    for effect in ("spun", "gyro_turn", "contradiction"):
        assert wrong(**{effect: 0.99}) == pytest.approx(0.99)
        assert wrong(**{effect: 1.01}) > 1.0


def test_effects_of_a_wrong_gyro_add_up():
    assert wrong(spun=0.75, gyro_turn=0.75) == pytest.approx(math.hypot(0.75, 0.75))
    assert wrong(spun=0.6, gyro_turn=0.6, contradiction=0.8) > 1.0
    # A walk of a real robot reaches this.
    assert wrong(spun=0.5, gyro_turn=0.6, contradiction=0.5) < 1.0
