"""A client learns the controller's clock from questions and answers."""

from __future__ import annotations

import random

import pytest

from kilohertz.rt.live.client_clock import SAMPLES, ClientClock


@pytest.mark.parametrize("rate", [1.0, 0.1])
def test_the_error_is_at_most_half_the_shortest_round_trip(rate: float) -> None:
    rng = random.Random(0)
    clock, own_s, shortest_s = ClientClock(rate), 100.0, float("inf")

    def controller_s(client_s: float) -> float:
        return 7.0 + rate * client_s

    for _ in range(SAMPLES):
        there_s, inside_s, back_s = (rng.uniform(1e-4, 5e-3) for _ in range(3))
        received_s, sent_s = own_s + there_s, own_s + there_s + inside_s
        shortest_s = min(shortest_s, there_s + back_s)
        clock.learn(own_s, controller_s(received_s), controller_s(sent_s), sent_s + back_s)
        own_s += 0.5
        assert abs(clock.time_s(own_s) - controller_s(own_s)) <= 0.5 * rate * shortest_s + 1e-9
    assert clock.round_trip_s == pytest.approx(shortest_s, abs=1e-9)


def test_old_answers_are_forgotten_so_that_a_drift_is_followed() -> None:
    clock = ClientClock()
    clock.learn(0.0, 5.0, 5.0, 1e-6)
    for i in range(SAMPLES):
        clock.learn(10.0 + i, 16.0 + i, 16.0 + i, 10.001 + i)
    assert clock.time_s(30.0) == pytest.approx(36.0, abs=1e-3)


def test_a_jump_of_the_controllers_clock_is_followed_at_once() -> None:
    clock = ClientClock()
    for i in range(5):
        clock.learn(i, i + 5.0005, i + 5.0005, i + 0.001)
    clock.learn(6.0, 9.010, 9.010, 6.020)
    assert clock.time_s(7.0) == pytest.approx(10.0, abs=0.0101)
    # An answer that only took longer is no jump.
    clock.learn(8.0, 11.0005, 11.0005, 8.001)
    clock.learn(9.0, 12.0005, 12.0005, 9.040)
    assert clock.time_s(10.0) == pytest.approx(13.0, abs=1e-6)
