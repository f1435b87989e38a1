"""A key counts as held while its repeats come, or until its release; what cannot be told is a release."""

from __future__ import annotations

import pytest

from kilohertz.rt.drive.held_keys import ALIVE_S, FIRST_S, REPEAT_S, HeldKeys
from kilohertz.rt.drive.key_decoder import (
    ALIVE,
    FOCUS_OUT,
    PRESS,
    RELEASE,
    REPEAT,
    REPORTS_RELEASES,
    KeyEvent,
)

W, D = KeyEvent(PRESS, "w"), KeyEvent(PRESS, "d")


def reporting() -> HeldKeys:
    keys = HeldKeys()
    keys.update(KeyEvent(REPORTS_RELEASES), 0.0)
    return keys


# The delays and periods that desktops, X servers and the Linux console set.
@pytest.mark.parametrize(("delay_s", "period_s"), [(0.25, 0.092), (0.5, 0.033), (0.66, 0.04)])
def test_a_held_key_is_held_without_a_gap_and_soon_released(delay_s: float, period_s: float) -> None:
    keys = HeldKeys()
    assert keys.update(W, 1.0)
    presses = [1.0 + delay_s + i * period_s for i in range(40)]
    for t_s in presses:
        assert keys.held(t_s - 1e-6) == {"w"}
        assert not keys.update(W, t_s)
    assert keys.held(presses[-1] + REPEAT_S - 1e-6) == {"w"}
    assert keys.held(presses[-1] + REPEAT_S) == set()


def test_a_short_press_ends_after_the_longest_delay_of_a_repeat() -> None:
    keys = HeldKeys()
    keys.update(W, 1.0)
    assert keys.held(1.0 + FIRST_S - 1e-6) == {"w"}
    assert keys.held(1.0 + FIRST_S) == set()
    assert keys.update(W, 1.0 + FIRST_S + 0.1)


def test_the_key_that_no_longer_repeats_is_released() -> None:
    keys = HeldKeys()
    for t_s in (0.0, 0.5, 0.55):
        keys.update(W, t_s)
    assert keys.update(D, 0.6)
    assert keys.held(0.7) == {"w", "d"}
    assert keys.held(0.55 + REPEAT_S) == {"d"}


def test_where_releases_are_reported_keys_are_held_until_then() -> None:
    keys = reporting()
    assert keys.update(W, 0.1)
    assert keys.update(D, 0.2)
    for i in range(30):
        keys.update(KeyEvent(ALIVE), 0.2 + 0.1 * i)
    assert keys.held(3.2) == {"w", "d"}
    assert not keys.update(KeyEvent(RELEASE, "w"), 3.2)
    assert keys.held(3.2) == {"d"}
    assert not keys.update(KeyEvent(REPEAT, "d"), 3.3)


def test_a_key_that_was_pressed_before_releases_are_reported_is_forgotten() -> None:
    # The terminal might report its release, or not.
    keys = HeldKeys()
    keys.update(W, 0.0)
    keys.update(KeyEvent(REPORTS_RELEASES), 0.1)
    assert keys.held(0.1) == set()


def test_a_terminal_that_is_silent_or_has_lost_the_keyboard_holds_nothing() -> None:
    keys = reporting()
    keys.update(W, 0.0)
    assert keys.held(ALIVE_S) == {"w"}
    assert keys.held(ALIVE_S + 1e-6) == set()
    # It answers again; whether the key is still held is not known.
    keys.update(KeyEvent(ALIVE), ALIVE_S + 0.1)
    assert keys.held(ALIVE_S + 0.1) == set()
    keys.update(KeyEvent(REPEAT, "w"), ALIVE_S + 0.2)
    assert keys.held(ALIVE_S + 0.2) == {"w"}
    keys.update(KeyEvent(FOCUS_OUT), ALIVE_S + 0.3)
    assert keys.held(ALIVE_S + 0.3) == set()


def test_a_silent_terminal_is_noticed_even_if_nobody_looks_until_it_answers() -> None:
    keys = reporting()
    keys.update(W, 0.0)
    keys.update(KeyEvent(ALIVE), ALIVE_S + 5.0)
    assert keys.held(ALIVE_S + 5.0) == set()


def test_clear_releases_all() -> None:
    keys = HeldKeys()
    keys.update(W, 0.0)
    keys.clear()
    assert keys.held(0.0) == set()
