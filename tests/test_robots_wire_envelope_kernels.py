"""Whatever is demanded and measured, the torques of a period are within the limits and change no faster."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.envelope import Envelope, envelope_numbers

PANDA = RobotModel.load("panda")
NUMBERS = envelope_numbers(PANDA)
NA = PANDA.na
INWARD = 5.0
"""At the end of its range a joint turns inwards this much faster than a command may change its torque."""


def within(low, high):
    return arrays(np.float64, NA, elements=st.floats(low, high))


period = st.tuples(within(-1e6, 1e6), within(-4.0, 4.0), within(-50.0, 50.0), st.booleans())


@settings(deadline=None, max_examples=100)
@given(st.lists(period, min_size=1, max_size=8))
def test_torques_are_within_the_limits_and_follow_no_command_faster_than_allowed(periods):
    envelope, command = Envelope(NUMBERS), PANDA.new_command_row()
    limit, step = NUMBERS.torque_Nm, 100.0 * NUMBERS.period_s * NUMBERS.torque_Nm
    for tau, q, v, follows in periods:
        before, asked = envelope.last_Nm.copy(), tau.copy()
        clipped = envelope.clipped
        envelope.limit(tau, q, v, command if follows else None)
        assert (np.abs(tau) <= limit).all()
        room = np.minimum(NUMBERS.high_rad - q, q - NUMBERS.low_rad)
        if follows:
            fastest = np.where(room < NUMBERS.stop_rad, INWARD, 1.0) * step
            assert (np.abs(tau - before) <= fastest * (1.0 + 1e-9)).all()
        assert envelope.clipped - clipped == (np.abs(tau - asked) > 1e-3 * limit).any()
        np.testing.assert_array_equal(envelope.last_Nm, tau)


@settings(deadline=None, max_examples=50)
@given(within(-1.0, 1.0), within(0.0, 1.0), within(-1.0, 1.0))
def test_in_a_mirrored_range_the_torques_are_mirrored(share, place, v):
    torques = []
    q = NUMBERS.low_rad + place * (NUMBERS.high_rad - NUMBERS.low_rad)
    mirrored_range = envelope_numbers(PANDA)
    low, high = mirrored_range.low_rad.copy(), mirrored_range.high_rad.copy()
    for sign, numbers_low, numbers_high in ((1.0, low, high), (-1.0, -high, -low)):
        mirrored_range.low_rad[:], mirrored_range.high_rad[:] = numbers_low, numbers_high
        tau = sign * share * NUMBERS.torque_Nm
        Envelope(mirrored_range).limit(tau, sign * q, sign * v, None)
        torques.append(sign * tau)
    np.testing.assert_array_equal(*torques)
