from __future__ import annotations

import os

import numpy as np
import pytest

from kilohertz.controller.gains.live import GainsRow, live_numbers
from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.rt.live.gains_mailbox import GainsMailbox


@pytest.fixture
def ends():
    """Returns a watcher's and a loop's instance on the same memory."""
    mine = GainsMailbox()
    return GainsMailbox(os.dup(mine.fd)), mine


def test_gains_arrive_bit_identical(ends):
    watcher, loop = ends
    row, numbers = GainsRow(Gains()), 1.1 * live_numbers(Gains())
    loop.collect(row)
    assert row.generation == 0
    watcher.post(1, numbers)
    loop.collect(row)
    assert row.generation == 1
    np.testing.assert_array_equal(row.numbers, numbers)


def test_gains_that_are_half_written_are_not_taken(ends):
    watcher, loop = ends
    row, before = GainsRow(Gains()), live_numbers(Gains())
    watcher.post(1, 1.1 * before)
    watcher._numbers[5] = 7.0
    loop.collect(row)
    assert row.generation == 0
    np.testing.assert_array_equal(row.numbers, before)
    watcher.post(1, 1.1 * before)
    loop.collect(row)
    assert row.generation == 1


@pytest.mark.parametrize("reason", ["", "the knee swings", "é" * 1000])
def test_an_answer_is_read_once(ends, reason):
    watcher, loop = ends
    tuning = Tuning(Gains(), lambda gains: None, ("knee",), 1e-3)
    tuning.generation, tuning.in_force, tuning.state, tuning.reason = 3, 2, 4, reason
    assert watcher.read_answer(0) == (0, None)
    loop.answer(tuning)
    number, answer = watcher.read_answer(0)
    assert answer is not None
    assert (answer.generation, answer.in_force, answer.state) == (3, 2, 4)
    assert answer.reason == reason[: len(answer.reason)]
    assert len(answer.reason) == min(len(reason), 120)
    assert watcher.read_answer(number) == (number, None)
