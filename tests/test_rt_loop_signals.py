"""Signals call the handler inside the block, and the previous handlers are restored afterwards."""

import os
import signal
import threading

import pytest

from kilohertz.rt.loop.signals import NUMBERS, told_by_signals

pytestmark = pytest.mark.host


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_told_and_handlers_come_back(number):
    before = [signal.getsignal(n) for n in NUMBERS]
    told: list[int] = []
    with told_by_signals(told.append):
        os.kill(os.getpid(), number)
    assert told == [number]
    assert [signal.getsignal(n) for n in NUMBERS] == before


def test_handlers_come_back_after_an_exception():
    before = [signal.getsignal(n) for n in NUMBERS]
    with pytest.raises(KeyError), told_by_signals(print):
        raise KeyError
    assert [signal.getsignal(n) for n in NUMBERS] == before


def test_another_thread_leaves_the_handlers_alone():
    seen = []

    def listen():
        with told_by_signals(print):
            seen.append([signal.getsignal(n) for n in NUMBERS])

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [[signal.getsignal(n) for n in NUMBERS]]
