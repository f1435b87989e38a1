from __future__ import annotations

import numpy as np
import pytest

from kilohertz.rt.view.hold_watch import BURST_S, HELD_S, RELEASED_S, HoldWatch

PERIOD_S = 0.05


def moving(arrivals, until_s, step_s=0.005):
    """Times at which a stick moves the robot, whose keep-alives arrive at these times."""
    watch, waiting, moves = HoldWatch(), list(arrivals), []
    for now_s in np.arange(0.0, until_s, step_s):
        while waiting and waiting[0] <= now_s:
            watch.keep_alive(waiting.pop(0))
        if watch.holds(now_s):
            moves.append(now_s)
    return np.array(moves), watch


def test_a_healthy_page_moves_the_robot_from_its_press_to_its_release():
    held = 1.0 + PERIOD_S * np.arange(21)
    moves, watch = moving(held, 4.0)
    assert moves[0] == pytest.approx(1.0 + PERIOD_S, abs=0.01)
    assert np.diff(moves).max() < 0.01
    assert moves[-1] == pytest.approx(2.0 + HELD_S, abs=0.01)
    assert not watch.ended_late


@pytest.mark.parametrize("gap_s", [HELD_S + 0.02, 0.4, RELEASED_S - 0.02])
def test_after_a_gap_the_button_has_to_be_released_and_pressed_again(gap_s):
    first = PERIOD_S * np.arange(11)
    starved = first[-1] + gap_s + PERIOD_S * np.arange(20)
    again = starved[-1] + RELEASED_S + 0.1 + PERIOD_S * np.arange(11)
    moves, watch = moving([*first, *starved, *again], again[-1] + 1.0)
    assert not ((moves > first[-1] + HELD_S) & (moves < again[0])).any()
    assert (moves > again[1]).any()
    assert not watch.ended_late


def test_a_burst_after_a_pause_does_not_move_the_robot():
    # Two seconds of keep-alives that arrive at once, after the button was released.
    moves, _ = moving(3.0 + 0.001 * np.arange(40), 5.0)
    assert len(moves) == 0


def test_a_burst_that_ends_a_gap_does_not_move_the_robot_on():
    held = PERIOD_S * np.arange(11)
    late = held[-1] + 0.4 + 0.5 * BURST_S * np.arange(40)
    moves, watch = moving([*held, *late], 3.0)
    assert moves[-1] == pytest.approx(held[-1] + HELD_S, abs=0.01)
    assert watch.ended_late


@pytest.mark.parametrize("period_s", [0.26, 0.4, 0.6, 1.0])
def test_a_page_that_is_starved_all_the_time_never_moves_the_robot(period_s):
    moves, _ = moving(period_s * np.arange(1, 20), 12.0)
    assert len(moves) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_pattern_of_arrivals_moves_the_robot_longer_than_one_gap(seed):
    rng = np.random.default_rng(seed)
    arrivals = np.cumsum(rng.choice([0.001, 0.05, 0.05, 0.05, 0.2, 0.3, 0.7], 200))
    moves, _ = moving(arrivals, arrivals[-1] + 2.0)
    last = arrivals[np.searchsorted(arrivals, moves, side="right") - 1]
    assert (moves - last <= HELD_S + 1e-9).all()


def test_a_stop_ends_the_motion_until_the_next_press():
    watch = HoldWatch()
    for tick in range(10):
        watch.keep_alive(PERIOD_S * tick)
    assert watch.holds(0.5)
    watch.release()
    for tick in range(10, 20):
        watch.keep_alive(PERIOD_S * tick)
        assert not watch.holds(PERIOD_S * tick)
    for tick in range(3):
        watch.keep_alive(2.0 + PERIOD_S * tick)
    assert watch.holds(2.1)
