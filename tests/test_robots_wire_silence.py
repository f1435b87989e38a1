from __future__ import annotations

import pytest

from kilohertz.robots.wire import silence
from kilohertz.robots.wire.silence import LONGEST_STEP_S, PREDICT_AFTER_POLLS, RECENT_S, Patience, Silence


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


def test_a_pause_of_this_process_is_a_stall_and_the_wait_for_a_state_is_none(clock):
    waiting = Silence(100)
    for _ in range(5):
        clock[0] += 0.001
        waiting.goes_on()
        clock[0] += 0.002
        waiting.broken()
    assert (waiting.stalls, waiting.recent_stall_s) == (0, 0.0)
    clock[0] += 0.12
    waiting.goes_on()
    assert waiting.stalls == 1
    assert waiting.recent_stall_s == pytest.approx(0.12)
    clock[0] += RECENT_S
    assert waiting.recent_stall_s == 0.0


def test_what_was_done_before_the_start_is_no_stall(clock):
    waiting = Silence(9)
    clock[0] += 5.0
    waiting.start()
    clock[0] += 0.001
    assert not waiting.goes_on()
    assert waiting.stalls == 0


def test_patience_does_not_count_the_time_in_which_the_process_was_stopped(clock):
    patience = Patience(1.0)
    clock[0] += 60.0
    assert not patience.is_over()
    for _ in range(3):
        clock[0] += LONGEST_STEP_S
        assert not patience.is_over()
    clock[0] += 2.0 * LONGEST_STEP_S
    clock[0] += 0.001
    patience.is_over()
    clock[0] += LONGEST_STEP_S
    assert patience.is_over()
