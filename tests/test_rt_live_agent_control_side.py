"""What clients send becomes requests, streams and stops, by the rules of the lease; all else is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import msgpack
import numpy as np
import pytest
from control_channel import ACTIVE, DAMPING, Channel

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.controller.supervision.request import behaviour_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.control_side import IDLE_CLIENT_NS, MOST_CLIENTS, TELL_NS
from kilohertz.rt.live.agent.lease import SILENCE_NS
from kilohertz.rt.live.agent.requests import UNCHECKED
from kilohertz.rt.live.command_mailbox import DAMP, SOFT_STOP
from kilohertz.rt.live.stream_targets import StreamTargets

ANN, BEN, POLICY = b"Ann", b"Ben", b"policy"
MS = 1_000_000


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def channel(robot: RobotModel) -> Channel:
    channel = Channel(robot)
    channel.hello(ANN, "person")
    channel.hello(BEN, "person")
    channel.hello(POLICY, "program")
    channel.sent.clear()
    return channel


def stream(channel: Channel, peer: bytes, **targets: Any) -> tuple[str, tuple[Any, ...]] | None:
    values = StreamTargets(**(targets or {"velocity_m_s": [0.2, 0.0]})).packed(
        math.nan, channel.robot.joint_names
    )
    return channel.send(peer, "stream", *values)


def walk(channel: Channel, peer: bytes, number: int = 1, forward: float = 0.3) -> Any:
    text = json.dumps({"velocity_m_s": [forward, 0.0]})
    return channel.send(peer, "request", number, "walk", text)


def status(channel: Channel) -> dict[str, Any]:
    answer = channel.send(BEN, "ask", 9)
    assert answer is not None
    return dict(zip(wire.FIELDS["status"], answer[1], strict=True))


def test_the_welcome_names_what_the_robot_has(channel: Channel, robot: RobotModel) -> None:
    answer = channel.send(b"x", "hello", "x", "program")
    assert answer is not None
    welcome = dict(zip(wire.FIELDS["welcome"], answer[1], strict=True))
    assert answer[0] == "welcome"
    assert (welcome["robot"], welcome["joints"]) == ("g1", robot.joint_names)
    assert welcome["hands"] == robot.hand_names
    assert {"walk", "stand", "footsteps"} <= set(welcome["behaviours"])
    assert welcome["t_s"] == pytest.approx(channel.loop.t_s, abs=1e-6)
    assert (welcome["mono_ns"], welcome["rate"]) == (channel.now_ns, 1.0)


def test_before_the_first_tick_hello_has_no_answer(robot: RobotModel) -> None:
    channel = Channel(robot)
    channel.side._status = None
    assert channel.send(ANN, "hello", "Ann", "person") is None
    assert channel.send(ANN, "stop", 3, "soft", "") == ("stopped", (3,))
    channel.pass_ms(1)
    assert channel.loop.stops == [SOFT_STOP]


def test_only_behaviours_of_an_arm_are_offered_by_an_arm() -> None:
    channel = Channel(RobotModel.load("panda"))
    answer = channel.send(ANN, "hello", "Ann", "person")
    assert answer is not None
    assert set(answer[1][4]) == {
        "calibrate", "circle", "damp", "guide", "impedance", "move", "reach", "stand", "wipe",
    }  # fmt: skip


def test_what_takes_two_hands_is_offered_by_a_robot_with_two() -> None:
    answer = Channel(RobotModel.load("fr3_duo")).send(ANN, "hello", "Ann", "person")
    assert answer is not None
    assert "dual" in answer[1][4]


def test_a_request_is_accepted_when_the_loop_has_taken_it(channel: Channel) -> None:
    channel.loop.takes = False
    assert walk(channel, ANN, 7) is None
    channel.pass_ms(5)
    assert channel.told(ANN, "accepted") == []
    channel.loop.takes = True
    channel.pass_ms(2)
    assert channel.told(ANN, "accepted") == [("accepted", (7,))]
    (request,) = channel.loop.requests
    assert request[0] == behaviour_id("walk")
    assert request[3:6].tolist() == [0.3, 0.0, 0.0]


@pytest.mark.parametrize(
    ("behaviour", "parameters", "why"),
    [
        ("wlk", "{}", "did you mean 'walk'"),
        ("walk", '{"velocity_m_s": [9, 0]}', "faster than 'g1' can walk"),
        ("walk", '{"velocity_m_s": [NaN, 0]}', "NaN is no number"),
        ("walk", '{"velocity_m_s": [1e999, 0]}', "finite"),
        ("walk", '{"velocity_m_s": [0, 0], "velocity_m_s": [1, 0]}', "twice"),
        ("walk", "[1]", "not a JSON object"),
        ("walk", "{", "not JSON"),
        ("walk", "[" * 3000, "not JSON"),
        ("stand", '{"hands": {"left_hand": {"p_BH_m": [3, 0, 0]}}}', "does not get there"),
        ("stand", '{"\\ud800": 1}', "unicode"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_refused_with_a_sentence(
    channel: Channel, behaviour: str, parameters: str, why: str
) -> None:
    assert channel.send(ANN, "request", 5, behaviour, parameters) is None
    channel.pass_ms(3)
    ((kind, (number, text)),) = channel.told(ANN, "refused", "accepted")
    assert (kind, number) == ("refused", 5)
    assert why in text
    assert UNCHECKED not in text
    assert channel.loop.requests == []


def test_done_and_abandoned_follow_with_the_reason(channel: Channel) -> None:
    channel.send(ANN, "request", 1, "bow", '{"angle_rad": 0.3, "period_s": 3.0}')
    channel.pass_ms(3)
    assert channel.told(ANN, "done", "abandoned") == []
    channel.loop.phase = 2
    channel.pass_ms(2)
    assert channel.told(ANN, "done", "abandoned") == [("done", (1,))]
    walk(channel, ANN, 2)
    channel.pass_ms(3)
    walk(channel, ANN, 3, 0.1)
    channel.pass_ms(3)
    assert channel.told(ANN, "done", "abandoned") == [("abandoned", (2, "replaced by 'walk' of 'Ann'"))]
    channel.loop.state, channel.loop.text = DAMPING, "the robot fell"
    channel.pass_ms(3)
    ((kind, (number, why)),) = channel.told(ANN, "done", "abandoned")
    assert (kind, number) == ("abandoned", 3)
    assert "the robot fell" in why
    assert channel.told(BEN, "event")[-1][1][1:] == ("remark", "the robot fell")


def test_the_phase_of_the_behaviour_before_a_request_does_not_end_it(channel: Channel) -> None:
    channel.loop.behaviour, channel.loop.phase = behaviour_id("stand"), 2
    channel.send(ANN, "request", 1, "stand", "")
    channel.pass_ms(1)
    # The report of the tick that takes the request still has the old phase.
    channel.loop.tick(channel.now_ns)
    channel.loop.phase = 2
    numbers = channel.loop
    numbers.mailbox.publish_status(
        channel.now_ns,
        (numbers.t_s, 1, behaviour_id("stand"), 2, ACTIVE, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        None,
    )
    channel.side.advance(channel.now_ns)
    assert channel.told(ANN, "accepted", "done") == [("accepted", (1,))]


def test_a_request_is_not_done_by_another_behaviour(channel: Channel) -> None:
    channel.send(ANN, "request", 1, "bow", '{"angle_rad": 0.3, "period_s": 3.0}')
    channel.pass_ms(3)
    channel.loop.behaviour, channel.loop.phase = behaviour_id("stand"), 2
    channel.pass_ms(3)
    assert channel.told(ANN, "done", "abandoned") == []


def test_a_request_that_the_loop_abandons_is_told(channel: Channel) -> None:
    walk(channel, ANN)
    channel.pass_ms(3)
    channel.loop.abandoned, channel.loop.text = 1, "a stream took over"
    channel.pass_ms(2)
    assert channel.told(ANN, "abandoned") == [("abandoned", (1, "a stream took over"))]


def test_a_person_holds_the_lease_against_programs_and_other_people(channel: Channel) -> None:
    assert channel.send(ANN, "take", 1) == ("accepted", (1,))
    for peer in (BEN, POLICY):
        for answer in (walk(channel, peer, 4), channel.send(peer, "take", 4)):
            assert answer == ("refused", (4, "the person 'Ann' holds the lease"))
        assert stream(channel, peer)[1][1:] == ("dropped", "the person 'Ann' holds the lease")  # type: ignore[index]
        assert channel.send(peer, "release", ()) == ("refused", (0, "the person 'Ann' holds the lease"))
    assert status(channel)["dropped"] == 2
    channel.pass_ms(3)
    assert np.isnan(channel.loop.streams.data[1:]).all()
    assert channel.loop.requests == []


def test_a_person_takes_over_from_a_program_at_once(channel: Channel) -> None:
    stream(channel, POLICY)
    channel.pass_ms(2)
    assert channel.loop.streams.velocity[0] == 0.2
    channel.loop.takes = False
    walk(channel, POLICY, 1)
    walk(channel, POLICY, 2)
    channel.pass_ms(1)
    assert stream(channel, ANN, velocity_m_s=[0.1, 0.0]) is None
    channel.pass_ms(2)
    assert channel.loop.streams.velocity[0] == 0.1
    # A request that was not checked yet does not outlive the lease.
    (refused,) = channel.told(POLICY, "refused")
    assert refused == ("refused", (2, "the person 'Ann' holds the lease"))
    assert channel.told(POLICY, "event")[-1][1][1] == "lease"
    stream(channel, POLICY)
    channel.pass_ms(2)
    assert channel.loop.streams.velocity[0] == 0.1


def test_a_program_that_was_displaced_takes_the_lease_expressly(channel: Channel) -> None:
    stream(channel, POLICY)
    stream(channel, ANN)
    assert channel.send(ANN, "give", 1) == ("accepted", (1,))
    stream(channel, POLICY, velocity_m_s=[0.5, 0.0])
    channel.pass_ms(2)
    assert channel.loop.streams.velocity[0] == 0.2
    assert channel.send(POLICY, "take", 2) == ("accepted", (2,))
    stream(channel, POLICY, velocity_m_s=[0.5, 0.0])
    channel.pass_ms(2)
    assert channel.loop.streams.velocity[0] == 0.5


def test_the_stamps_of_a_new_holder_need_not_follow_those_of_the_one_before(channel: Channel) -> None:
    t_s = channel.loop.t_s - 0.1
    for peer, stamp_s in ((POLICY, t_s + 0.02), (ANN, t_s + 0.01)):
        values = StreamTargets(lean_rad=0.1).packed(stamp_s, channel.robot.joint_names)
        channel.send(peer, "stream", *values)
        channel.pass_ms(2)
        assert channel.loop.streams.lean_t_s[0] == stamp_s


def test_the_lease_ends_when_its_holder_is_silent_or_leaves(channel: Channel) -> None:
    stream(channel, ANN)
    for _ in range(10):
        channel.pass_ms(SILENCE_NS // MS // 2)
        channel.send(ANN, "keepalive")
    assert status(channel)["holder"] == "Ann"
    channel.pass_ms(SILENCE_NS // MS - 1)
    assert status(channel)["holder"] == "Ann"
    channel.pass_ms(2)
    assert status(channel)["holder"] == ""
    assert "silent" in channel.told(BEN, "event")[-1][1][2]
    # The sample stays: its age tells the tick that the stream is silent.
    assert channel.loop.streams.velocity[0] == 0.2
    assert stream(channel, POLICY) is None
    assert status(channel)["holder"] == "policy"
    channel.side.gone(POLICY)
    assert status(channel)["holder"] == ""
    assert "has left" in channel.told(BEN, "event")[-1][1][2]


def test_a_stop_is_passed_on_from_everyone_whoever_holds_the_lease(channel: Channel) -> None:
    channel.send(ANN, "take", 1)
    for peer in (POLICY, b"a stranger"):
        assert channel.send(peer, "stop", 3, "soft", "why not") == ("stopped", (3,))
        channel.pass_ms(1)
        assert channel.send(peer, "stop", 4, "damp", "") == ("stopped", (4,))
        channel.pass_ms(1)
    assert channel.loop.stops == [SOFT_STOP, DAMP] * 2


def test_a_stopped_controller_takes_no_requests_and_no_streams(channel: Channel) -> None:
    channel.loop.state, channel.loop.text = DAMPING, "the robot fell"
    channel.pass_ms(1)
    walk(channel, ANN)
    channel.pass_ms(2)
    ((_, (_, why)),) = channel.told(ANN, "refused")
    assert why == "the controller takes no commands, its state is damping: the robot fell"
    assert stream(channel, ANN)[1][2] == why  # type: ignore[index]
    assert np.isnan(channel.loop.streams.data[1:]).all()


def test_a_client_is_told_why_samples_are_dropped_once_per_second(channel: Channel) -> None:
    def drop() -> bool:
        return stream(channel, ANN, velocity_m_s=[math.nan, 0.0]) is not None

    told = [drop() for _ in range(100) if channel.pass_ms(1) is None]
    assert told == [True] + [False] * 99
    channel.now_ns += TELL_NS
    assert drop()
    assert (status(channel)["received"], status(channel)["dropped"]) == (101, 101)
    assert status(channel)["why_dropped"] == "velocity is not finite"
    assert status(channel)["limited"] == 0
    stream(channel, ANN, velocity_m_s=[5.0, 0.0])
    assert status(channel)["limited"] == 1
    assert "5.00 forward" in status(channel)["why_limited"]


def test_clocks_are_those_of_the_controller(channel: Channel) -> None:
    channel.now_ns += MS // 2
    answer = channel.send(ANN, "clock", 123.5)
    assert answer is not None
    kind, (client_s, received_s, sent_s) = answer
    assert (kind, client_s) == ("clocked", 123.5)
    assert received_s == sent_s == pytest.approx(channel.loop.t_s + 0.5e-3, abs=1e-9)


def test_the_status_is_that_of_the_loop(channel: Channel) -> None:
    walk(channel, ANN)
    channel.pass_ms(2)
    found = status(channel)
    assert (found["state"], found["behaviour"], found["phase"]) == ("active", "walk", "running")
    assert np.frombuffer(found["base"]).tolist() == [1.0, 2.0, 0.5]
    assert np.frombuffer(found["velocity"]).tolist() == [0.3, 0.0, 0.1]
    assert (found["holder"], found["role"]) == ("Ann", "person")


def test_behaviours_are_described_by_their_schema(channel: Channel) -> None:
    answer = channel.send(ANN, "describe", 2, "walk")
    assert answer is not None
    assert "velocity_m_s" in json.loads(answer[1][2])["properties"]
    assert channel.send(ANN, "describe", 2, "wlk")[0] == "refused"  # type: ignore[index]
    answer = channel.send(ANN, "describe", 3, "streams")
    assert answer is not None
    limits = json.loads(answer[1][2])
    assert limits["hand_speed_m_s"] == StreamGains().hand_speed_m_s
    assert limits["velocity"]["high"][0] == pytest.approx(0.84, abs=0.01)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"x" * 5000,
        msgpack.packb([2, "take", 1]),
        msgpack.packb([1, "take"]),
        msgpack.packb([1, "take", -1]),
        msgpack.packb([1, "take", True]),
        msgpack.packb([1, "accepted", 1]),
        msgpack.packb([1, "stop", 1, "hard", ""]),
        msgpack.packb({1: 2}),
    ],
)
def test_what_is_no_message_of_a_client_is_refused_and_changes_nothing(
    channel: Channel, payload: bytes
) -> None:
    before = (dict(channel.side.peers), channel.side.lease.holder, channel.side.streams.received)
    kind, (number, text) = channel.send_bytes(ANN, payload)  # type: ignore[misc]
    assert (kind, number) == ("refused", 0)
    assert text
    channel.pass_ms(1)
    assert (dict(channel.side.peers), channel.side.lease.holder, channel.side.streams.received) == before
    assert channel.loop.stops == []


def test_a_stranger_is_asked_to_say_hello(channel: Channel) -> None:
    assert walk(channel, b"a stranger", 6) == ("refused", (6, wire.UNKNOWN))
    assert stream(channel, b"a stranger") == ("refused", (0, wire.UNKNOWN))
    assert channel.side.streams.received == 0


def test_too_many_clients_are_refused_until_one_is_idle(channel: Channel) -> None:
    channel.send(ANN, "take", 1)
    for i in range(MOST_CLIENTS - 3):
        channel.hello(b"%d" % i, "program")
    answer = channel.send(b"x", "hello", "x", "program")
    assert answer is not None
    assert answer[0] == "refused"
    channel.now_ns += IDLE_CLIENT_NS
    channel.send(BEN, "keepalive")
    channel.hello(b"x", "program")
    assert len(channel.side.peers) == MOST_CLIENTS
    assert {ANN, BEN} <= set(channel.side.peers)
    assert POLICY not in channel.side.peers


def test_a_holder_that_begins_anew_under_another_name_loses_the_lease(channel: Channel) -> None:
    channel.send(ANN, "take", 1)
    channel.send(ANN, "hello", "Ann", "person")
    assert status(channel)["holder"] == "Ann"
    channel.send(ANN, "hello", "Eve", "program")
    assert status(channel)["holder"] == ""
