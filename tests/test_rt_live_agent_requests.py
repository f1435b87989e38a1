"""Requests are checked one at a time, and a check that fails in any way only refuses the request."""

from __future__ import annotations

from typing import Any

import pytest
from control_channel import Channel

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent import requests
from kilohertz.rt.live.agent.requests import MOST_WAITING, UNCHECKED, RefusedRequestError, parsed

ANN = b"Ann"


@pytest.fixture
def channel() -> Channel:
    channel = Channel(RobotModel.load("panda"))
    channel.hello(ANN, "person")
    return channel


def test_at_most_one_request_is_checked_per_cycle_and_few_wait(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = []
    make = requests.make_request

    def count(*arguments: Any, **options: Any) -> Any:
        checks.append(arguments[1])
        return make(*arguments, **options)

    monkeypatch.setattr(requests, "make_request", count)
    answers = [channel.send(ANN, "request", i, "stand", "") for i in range(1, MOST_WAITING + 3)]
    assert [answer[0] for answer in answers if answer is not None] == ["refused"] * 2
    assert checks == []
    for n in range(1, MOST_WAITING + 1):
        channel.side.advance(channel.now_ns)
        assert len(checks) == n
        assert channel.side.is_busy
        # Until the loop has taken it, the next one waits.
        channel.side.advance(channel.now_ns)
        assert len(checks) == n
        channel.loop.tick(channel.now_ns)
    channel.pass_ms(2)
    assert not channel.side.is_busy
    assert channel.told(ANN, "accepted") == [("accepted", (i,)) for i in range(1, MOST_WAITING + 1)]


def test_a_check_that_fails_refuses_the_request_and_the_agent_goes_on(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError("of a behaviour of another distribution\n")

    monkeypatch.setattr(requests, "make_request", fail)
    channel.send(ANN, "request", 1, "stand", "")
    channel.pass_ms(2)
    ((_, (_, text)),) = channel.told(ANN, "refused")
    assert UNCHECKED in text
    assert "ZeroDivisionError" in text
    monkeypatch.undo()
    channel.send(ANN, "request", 2, "stand", "")
    channel.pass_ms(2)
    assert channel.told(ANN, "accepted") == [("accepted", (2,))]


def test_a_second_agent_numbers_its_requests_after_those_of_the_first(channel: Channel) -> None:
    channel.loop.taken = 7
    channel.pass_ms(1)
    channel.loop.takes = False
    channel.send(ANN, "request", 1, "stand", "")
    channel.pass_ms(5)
    assert channel.told(ANN, "accepted") == []
    channel.loop.takes = True
    channel.pass_ms(2)
    assert channel.loop.taken == 8
    assert channel.told(ANN, "accepted") == [("accepted", (1,))]


def test_a_client_that_leaves_takes_its_waiting_requests_with_it(channel: Channel) -> None:
    channel.send(ANN, "request", 1, "stand", "")
    channel.side.gone(ANN)
    channel.pass_ms(3)
    assert channel.loop.requests == []


@pytest.mark.parametrize("text", ["[]", "1", '"walk"', "null", "{", '{"a": Infinity}', '{"a": 1, "a": 2}'])
def test_only_objects_of_json_are_parameters(text: str) -> None:
    with pytest.raises(RefusedRequestError):
        parsed(text)


def test_parameters_are_read_as_json() -> None:
    assert parsed("") == {}
    assert parsed('{"velocity_m_s": [0.3, 0], "hands": {"a": null}}') == {
        "velocity_m_s": [0.3, 0],
        "hands": {"a": None},
    }
    assert wire.sentence("a\nb\u2028c\ud800") == "a b c "
