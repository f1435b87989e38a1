from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.view import hold_watch, operator
from kilohertz.rt.view.operator import DAMP, NO_CHANNEL, Operator

PATIENCE_S = 30.0
# Releases come from silence: whatever this computer does meanwhile, the order of what is sent stays the same.
pytestmark = pytest.mark.host


class FakeControl:
    """Notes what it is asked for; refuses `dance`."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.sentences: list[str] = []
        self.lost = False
        self.closed = threading.Event()

    def command(self, behaviour, parameters):
        if behaviour == "dance":
            raise ConfigError("there is no behaviour 'dance'")
        self.calls.append((behaviour, parameters))

    def stream(self, velocity, hands):
        self.calls.append((velocity, hands))

    def stop(self, how):
        self.calls.append(("stop", how))

    def news(self):
        if self.lost:
            raise LinkLostError("the controller does not answer")
        news, self.sentences = self.sentences, []
        return news

    def close(self):
        self.closed.set()


def until(condition):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.002)


def hold(user, *velocity):
    """Presses a button until it moves the robot, on a computer that may be slow."""
    until(lambda: (user.hold(*velocity), time.sleep(0.03), user._watch.holds(time.monotonic()))[-1])


@pytest.fixture
def control():
    return FakeControl()


@pytest.fixture
def user(control):
    made = Operator(lambda: control)
    until(lambda: made.connected)
    yield made
    made.close()


def test_requests_arrive_in_order_and_their_answers_are_told(user, control):
    user.request("walk", {"velocity_m_s": [0.3, 0.0]})
    user.request("dance", {})
    user.stop(DAMP)
    until(lambda: len(user.messages) == 3)
    assert control.calls == [("walk", {"velocity_m_s": [0.3, 0.0]}), ("stop", "damp")]
    assert user.messages == ["walk accepted", "dance refused: there is no behaviour 'dance'", "stop accepted"]


def test_a_velocity_is_streamed_while_it_is_held_then_zero_once_and_then_nothing(user, control):
    hold(user, 0.3, 0.1, -0.2)
    until(lambda: ((0.0, 0.0, 0.0), {}) in control.calls)
    # A request after the release, to see that nothing more is streamed.
    user.request("stand", {})
    until(lambda: ("stand", {}) in control.calls)
    *held, zero, stand = control.calls
    assert held
    assert set(map(repr, held)) == {repr(((0.3, 0.1, -0.2), {}))}
    assert (zero, stand) == (((0.0, 0.0, 0.0), {}), ("stand", {}))


def test_a_hand_is_held_until_it_is_released(user, control):
    target = {"p_WH_m": [0.3, 0.2, 0.9]}
    user.hold_hand("left_hand", target)
    until(lambda: len(control.calls) > 5)
    assert all(call == (None, {"left_hand": target}) for call in control.calls)
    user.release_hands()
    user.request("stand", {})
    until(lambda: ("stand", {}) in control.calls)
    assert control.calls[-1] == ("stand", {})


def test_a_stop_lets_go_of_all_that_is_held(user, control, monkeypatch):
    monkeypatch.setattr(hold_watch, "HELD_S", 1000.0)
    hold(user, 0.3, 0.0, 0.0)
    user.hold_hand("left_hand", {"p_WH_m": [0.0, 0.0, 0.0]})
    until(lambda: control.calls)
    user.stop()
    until(lambda: "stop accepted" in user.messages)
    at = control.calls.index(("stop", "soft"))
    assert all(call == ((0.0, 0.0, 0.0), {}) for call in control.calls[at + 1 :])


def test_what_the_controller_tells_is_shown(user, control):
    control.sentences = ["remark: slower than asked"]
    until(lambda: user.messages == ["remark: slower than asked"])


def test_without_a_controller_it_says_so_and_connects_as_soon_as_there_is_one(monkeypatch, control):
    monkeypatch.setattr(operator, "CONNECT_AGAIN_S", 0.001)
    answers = iter([LinkLostError("nobody"), ConfigError("not yours"), LinkLostError("nobody")])

    def connect():
        error = next(answers, None)
        if error is not None:
            raise error
        return control

    gate = threading.Event()
    user = Operator(lambda: connect() if gate.is_set() else (_ for _ in ()).throw(LinkLostError("nobody")))
    user.stop()
    assert user.messages == [f"stop: {NO_CHANNEL}"]
    gate.set()
    until(lambda: user.connected)
    user.close()
    assert control.closed.is_set()


def test_a_lost_controller_is_told_and_connected_again(user, control, monkeypatch):
    control.lost = True
    until(lambda: "the controller does not answer" in user.messages)
    control.lost = False
    until(lambda: user.connected)
    user.request("stand", {})
    until(lambda: ("stand", {}) in control.calls)
