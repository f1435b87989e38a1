from __future__ import annotations

import pytest

from kilohertz.robots.wire import silence
from kilohertz.robots.wire.silence import PREDICT_AFTER_POLLS, Silence


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    return now


def polls_until_too_long(clock, poll_s, limit_ms=9):
    waiting = Silence(limit_ms)
    waiting.broken()
    while True:
        clock[0] += poll_s
        if waiting.goes_on():
            return waiting.polls


def test_it_is_too_long_after_the_limit(clock):
    assert polls_until_too_long(clock, 0.001) == 9
    assert polls_until_too_long(clock, 0.002) == 5


def test_a_host_that_stopped_us_gets_a_few_more_polls(clock):
    assert polls_until_too_long(clock, 1.0) == 3


def test_a_word_starts_it_anew(clock):
    waiting = Silence(9)
    for _ in range(5):
        for _ in range(8):
            clock[0] += 0.001
            assert not waiting.goes_on()
        waiting.broken()


def test_one_late_state_is_not_worth_a_prediction(clock):
    waiting = Silence(9)
    for _ in range(PREDICT_AFTER_POLLS):
        assert not waiting.worth_predicting
        waiting.goes_on()
    assert waiting.worth_predicting
