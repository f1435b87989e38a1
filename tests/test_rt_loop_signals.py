"""Signals call the handler inside the block, and the previous handlers are restored afterwards."""

import os
import signal
import threading

import pytest

from kilohertz.rt.loop.signals import NUMBERS, UntilStopped, told_by_signals

pytestmark = pytest.mark.host


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_told_and_handlers_come_back(number):
    before = [signal.getsignal(n) for n in NUMBERS]
    told: list[int] = []
    with told_by_signals(told.append):
        os.kill(os.getpid(), number)
    assert told == [number]
    assert [signal.getsignal(n) for n in NUMBERS] == before


@pytest.fixture(autouse=True)
def _default_hang_up():
    """Whatever started the tests, such as `nohup`, must not decide."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_hang_up_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[int] = []
    with told_by_signals(told.append):
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
    assert told == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


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


def test_what_runs_until_stopped_knows_the_signal_that_ended_it():
    ended, stopped = UntilStopped(), UntilStopped()
    with ended.told():
        assert not ended.stopped
        os.kill(os.getpid(), signal.SIGTERM)
    assert (ended.stopped, ended.stopped_by) == (True, signal.SIGTERM)
    stopped.stop()
    assert (stopped.stopped, stopped.stopped_by) == (True, None)
