"""Tests of the age of a stream, and of what is left of its command after a silence."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.controller.streams.channel import RAMP_S, SILENCE_S, Channel


def test_a_command_lasts_for_the_silence_and_then_fades_out() -> None:
    stamp = np.array([2.0])
    channel = Channel(stamp)
    for t_s, fresh, fraction in (
        (2.0, True, 1.0),
        (2.0 + 0.9 * SILENCE_S, True, 1.0),
        (2.0 + SILENCE_S + 0.5 * RAMP_S, False, 0.5),
        (2.0 + SILENCE_S + RAMP_S, False, 0.0),
        (9.0, False, 0.0),
    ):
        channel.advance(t_s)
        assert channel.fresh is fresh
        assert channel.fraction == pytest.approx(fraction, abs=1e-9)
        assert 0.0 <= channel.age_s <= SILENCE_S


def test_a_stream_that_is_released_fades_out_from_that_moment() -> None:
    stamp = np.array([2.0])
    channel = Channel(stamp)
    channel.advance(2.01)
    stamp[0] = np.nan
    channel.advance(2.02)
    assert not channel.fresh
    assert channel.fraction == 1.0
    channel.advance(2.02 + 0.5 * RAMP_S)
    assert channel.fraction == pytest.approx(0.5)


def test_a_stream_that_was_never_used_has_no_command() -> None:
    channel = Channel(np.array([np.nan]))
    channel.advance(5.0)
    assert not channel.fresh
    assert channel.fraction == 0.0


def test_a_new_sample_revives_a_silent_stream() -> None:
    stamp = np.array([1.0])
    channel = Channel(stamp)
    channel.advance(3.0)
    stamp[0] = 3.0
    channel.advance(3.001)
    assert channel.fresh
    assert channel.fraction == 1.0
