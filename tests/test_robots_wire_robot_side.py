from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.robot_side import ARMED_TICKS, MOST_PEERS, WATCHDOG_TICKS, RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec, identity

ROBOT = RobotModel.load("ur5")
IDENTITY = identity(ROBOT, 1e-3)
A, B = b"peer A", b"peer B"


class Bench:
    def __init__(self):
        self.taken = []
        self.problem = None
        self.side = RobotSide(ROBOT, IDENTITY, self.take, lambda: self.problem)
        self.sensors = ROBOT.new_sensor_row()
        self.command = ROBOT.new_command_row()

    def take(self, command, state_seq):
        self.taken.append((command.q_des.copy(), state_seq))

    def send(self, peer, kind, *values):
        answer = self.side.handle(peer, wire.pack(kind, *values), 0)
        return wire.unpack(answer) if answer is not None else None

    def hello(self, peer=A, name="someone", told=IDENTITY):
        return self.send(peer, "hello", name, *told.packed(), ())

    def arm(self, peer=A):
        self.hello(peer, peer.decode())
        answer = self.send(peer, "arm")
        return answer[1][0] if answer[0] == "armed" else answer

    def period(self):
        self.side.tick()
        self.side.state(self.sensors, 0)

    def order(self, epoch, seq, peer=A, state_seq=None, deadline_us=4000):
        state_seq = self.side.state_seq if state_seq is None else state_seq
        before = len(self.taken)
        self.side.handle(peer, CommandCodec.pack(epoch, seq, state_seq, deadline_us, self.command), 0)
        return len(self.taken) > before


@pytest.fixture
def bench():
    bench = Bench()
    bench.period()
    return bench


def test_a_controller_is_welcomed_armed_and_obeyed(bench):
    assert bench.hello()[0] == "welcome"
    epoch = bench.arm()
    assert bench.side.mode == wire.ARMED
    assert bench.order(epoch, 1)
    assert bench.side.mode == wire.ACTIVE


def test_nothing_is_obeyed_without_the_lease(bench):
    bench.hello(B)
    epoch = bench.arm(A)
    assert not bench.order(epoch, 1, peer=B)
    assert not bench.order(epoch - 1, 1)
    assert not bench.order(epoch + 1, 1)
    assert not bench.order(epoch, 1, peer=b"a stranger")


def test_numbers_must_rise_and_answer_a_state_that_is_young(bench):
    epoch = bench.arm()
    assert bench.order(epoch, 5)
    assert not bench.order(epoch, 5)
    assert not bench.order(epoch, 4)
    assert not bench.order(epoch, 6, state_seq=bench.side.state_seq + 1)
    old = bench.side.state_seq
    for _ in range(5):
        bench.period()
    assert not bench.order(epoch, 6, state_seq=old)
    assert bench.order(epoch, 6, state_seq=old, deadline_us=5000)
    assert bench.side.counts.late == 1


@pytest.mark.parametrize("field", ["q_des", "v_des", "kp", "kd", "tau_ff"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e9])
def test_a_command_out_of_range_is_refused(bench, field, value):
    epoch = bench.arm()
    getattr(bench.command, field)[3] = value
    # A continuous joint may be anywhere, but not nowhere.
    allowed = field == "q_des" and np.isfinite(value) and not np.isfinite(ROBOT.position_upper_rad[3])
    assert bench.order(epoch, 1) == allowed


def test_silence_fades_the_command_and_then_damps_for_good(bench):
    epoch = bench.arm()
    bench.order(epoch, 1)
    bench.period()
    shares = []
    while bench.side.mode == wire.ACTIVE:
        bench.period()
        shares.append(bench.side.held_share)
    assert len(shares) == WATCHDOG_TICKS
    assert shares[:3] == [1.0] * 3
    assert all(np.diff(shares[2:]) < 0.0)
    assert shares[-1] == 0.0
    assert not bench.order(epoch, 2)
    assert not bench.order(bench.side.epoch, 2)
    assert bench.side.mode == wire.DAMPING
    assert bench.arm() > epoch


def test_the_holder_of_the_lease_is_named_to_others(bench):
    bench.arm(A)
    assert bench.arm(B) == ("refused", ("lease", "'peer A' already commands this robot"))


def test_asking_again_before_the_first_command_is_the_same_lease(bench):
    epoch = bench.arm()
    assert bench.arm() == epoch
    bench.order(epoch, 1)
    assert bench.arm()[0] == "refused"


def test_a_lease_that_is_given_back_or_not_used_is_free(bench):
    epoch = bench.arm(A)
    assert bench.send(A, "disarm", epoch)[0] == "disarmed"
    assert bench.side.mode == wire.STANDBY
    bench.arm(A)
    for _ in range(ARMED_TICKS):
        bench.period()
    assert bench.side.mode == wire.STANDBY
    assert bench.arm(B) > epoch


def test_what_fails_its_self_test_is_not_armed(bench):
    bench.problem = "the knee is hot"
    assert bench.arm() == ("refused", ("self-test", "the knee is hot"))
    assert bench.side.mode == wire.STANDBY


def test_anybody_may_stop_it_and_only_arming_ends_that(bench):
    epoch = bench.arm()
    bench.order(epoch, 1)
    assert bench.send(b"a stranger", "stop", "fire")[0] == "stopped"
    assert bench.side.mode == wire.DAMPING
    assert not bench.order(epoch, 2)


def test_many_peers_do_not_push_out_the_one_that_commands(bench):
    epoch = bench.arm(A)
    for i in range(3 * MOST_PEERS):
        bench.hello(b"peer %d" % i)
    assert len(bench.side.peers) <= MOST_PEERS
    assert bench.order(epoch, 1)


@pytest.mark.parametrize("field", ["robot", "joints", "contacts", "dt_s", "model_sha256", "units"])
def test_another_robot_is_refused_by_the_name_of_the_field(bench, field):
    other = {"joints": IDENTITY.joints[::-1], "contacts": ("hoof",), "dt_s": 0.002}.get(field, "other")
    kind, values = bench.hello(told=replace(IDENTITY, **{field: other}))
    assert (kind, values[0]) == ("refused", field)
    assert bench.send(A, "arm")[1][0] == "hello"


def test_epochs_of_two_starts_do_not_meet():
    assert abs(Bench().side.epoch - Bench().side.epoch) > 1000


values = st.one_of(
    st.integers(0, 2**64 - 1),
    st.floats(),
    st.text(max_size=10),
    st.binary(max_size=60).map(lambda b: b * 8),
    st.lists(st.text(max_size=5), max_size=5),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B]),
            st.one_of(
                st.binary(max_size=60),
                st.tuples(st.sampled_from(wire.KINDS), st.lists(values, max_size=10)).map(
                    lambda pair: wire.pack(pair[0], *pair[1])
                ),
                st.just(wire.pack("hello", "me", *IDENTITY.packed(), ())),
                st.just(wire.pack("arm")),
                st.just(wire.pack("stop", "")),
            ),
        ),
        max_size=30,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_sequence_of_packets_breaks_it_or_makes_it_move(packets):
    bench = Bench()
    epoch = bench.side.epoch
    for peer, payload in packets:
        answer = bench.side.handle(peer, payload, 0)
        assert answer is None or wire.unpack(answer) is not None
        bench.period()
    assert bench.taken == []
    assert bench.side.mode != wire.ACTIVE
    assert bench.side.epoch >= epoch
