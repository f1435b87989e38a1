from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.envelope import OLDEST_STATE_TICKS
from kilohertz.robots.wire.robot_side import ARMED_TICKS, MOST_PEERS, WATCHDOG_TICKS, RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec, TruthRow, identity

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
@settings(max_examples=100, deadline=None)
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


def counts(bench):
    found = bench.side.counts
    return found.accepted, found.refused, found.stale, found.late


def test_every_packet_is_counted_once_as_what_became_of_it(bench):
    epoch = bench.arm()
    assert counts(bench) == (0, 0, 0, 0)
    assert bench.order(epoch, 1)
    assert counts(bench) == (1, 0, 0, 0)
    bench.order(epoch + 1, 2)
    bench.order(epoch, 2, peer=B)
    assert counts(bench) == (1, 2, 0, 0)
    bench.order(epoch, 1)
    bench.order(epoch, 2, state_seq=bench.side.state_seq + 1)
    assert counts(bench) == (1, 2, 2, 0)
    bench.period()
    bench.order(epoch, 2, state_seq=bench.side.state_seq - 1, deadline_us=999)
    assert counts(bench) == (1, 2, 2, 1)
    bench.command.kp[0] = -1.0
    bench.order(epoch, 2)
    assert counts(bench) == (1, 3, 2, 1)
    bench.side.handle(A, b"junk", 0)
    assert counts(bench) == (1, 4, 2, 1)
    kind, values = bench.send(A, "disarm", epoch)
    assert (kind, values[:3]) == ("disarmed", (1, 4, 3))
    bench.arm()
    assert counts(bench) == (0, 0, 0, 0)


def test_a_deadline_is_met_up_to_its_last_period(bench):
    epoch, old = bench.arm(), bench.side.state_seq
    for seq in range(1, 5):
        bench.period()
        assert bench.order(epoch, seq, state_seq=old, deadline_us=1000 * seq)
    assert not bench.order(epoch, 9, state_seq=old, deadline_us=3999)


def test_a_state_older_than_the_envelope_allows_is_not_answered_whatever_the_deadline(bench):
    epoch, old = bench.arm(), bench.side.state_seq
    for _ in range(OLDEST_STATE_TICKS):
        bench.period()
    assert bench.order(epoch, 1, state_seq=old, deadline_us=10**6)
    bench.period()
    assert not bench.order(epoch, 2, state_seq=old, deadline_us=10**6)
    assert counts(bench) == (1, 0, 0, 1)


def test_a_controller_that_answers_only_an_old_state_ends_in_damping(bench):
    epoch, old = bench.arm(), bench.side.state_seq
    for seq in range(1, OLDEST_STATE_TICKS + WATCHDOG_TICKS + 2):
        bench.order(epoch, seq, state_seq=old, deadline_us=10**9)
        bench.period()
    assert bench.side.mode == wire.DAMPING


@pytest.mark.parametrize(("gain", "value"), [("kp", 1e5), ("kd", 1e5), ("kp", 15001.0)])
def test_gains_out_of_the_envelope_damp_the_robot_and_name_joint_and_limit(bench, gain, value):
    epoch = bench.arm()
    getattr(bench.command, gain)[1] = value
    assert not bench.order(epoch, 1)
    assert bench.side.mode == wire.DAMPING
    assert gain in bench.side.reason
    assert "shoulder_lift_joint" in bench.side.reason
    getattr(bench.command, gain)[1] = 0.0
    assert bench.order(bench.arm(), 1)


def test_torques_of_an_active_robot_are_limited_and_a_wrong_controller_damps_it(bench):
    limit, q, v = ROBOT.torque_limit_Nm, bench.sensors.q, bench.sensors.v
    epoch = bench.arm()
    bench.order(epoch, 1)
    before = np.zeros(ROBOT.na)
    for tick in range(12):
        tau = limit * (-1.0) ** tick
        bench.side.limit(tau, q, v)
        if bench.side.mode == wire.ACTIVE:
            assert (np.abs(tau - before) <= 0.1 * limit + 1e-9).all()
        before = tau
    assert bench.side.mode == wire.DAMPING
    assert "shoulder_pan_joint" in bench.side.reason


def test_only_the_holder_gives_the_lease_back_and_only_its_own(bench):
    bench.hello(B)
    epoch = bench.arm(A)
    for peer, number in ((B, epoch), (A, epoch - 1), (A, epoch + 1)):
        assert bench.send(peer, "disarm", number) is None
        assert bench.side.mode == wire.ARMED
    assert counts(bench)[1] == 3
    bench.send(A, "disarm", epoch)
    assert (bench.side.mode, bench.side.holder) == (wire.STANDBY, "")
    assert bench.side.epoch > epoch


def test_round_trips_are_from_the_state_to_its_command(bench):
    epoch = bench.arm()
    assert bench.side.round_trip_us().size == 0
    for seq, trip_us in enumerate((100, 200, 300), start=1):
        bench.side.tick()
        bench.side.state(bench.sensors, 1_000_000)
        message = CommandCodec.pack(epoch, seq, bench.side.state_seq, 4000, bench.command)
        bench.side.handle(A, message, 1_000_000 + 1000 * trip_us)
    expected = np.percentile([100.0, 200.0, 300.0], (50.0, 99.0, 99.9))
    np.testing.assert_allclose(bench.side.round_trip_us(), expected)
    _, values = bench.send(A, "disarm", epoch)
    np.testing.assert_allclose(np.frombuffer(values[3]), expected)
    bench.arm()
    assert bench.side.round_trip_us().size == 0


def test_an_armed_robot_waits_for_its_first_command_no_longer_than_it_says(bench):
    epoch = bench.arm()
    for _ in range(ARMED_TICKS - 1):
        bench.period()
    assert (bench.side.mode, bench.side.epoch) == (wire.ARMED, epoch)
    bench.period()
    assert (bench.side.mode, bench.side.reason) == (
        wire.STANDBY,
        f"armed, but no command was received for {ARMED_TICKS} periods",
    )
    assert bench.side.epoch > epoch


def test_silence_is_counted_from_the_last_command_that_was_taken(bench):
    epoch = bench.arm()
    for seq in range(1, 40):
        assert bench.order(epoch, seq)
        bench.period()
        assert bench.side.silent_ticks == 0
    for silent in range(1, WATCHDOG_TICKS):
        bench.order(epoch, 1)
        bench.period()
        assert (bench.side.silent_ticks, bench.side.mode) == (silent, wire.ACTIVE)
    bench.period()
    assert (bench.side.mode, bench.side.reason_kind) == (wire.DAMPING, "damping")
    assert bench.side.reason == f"no command was accepted for {WATCHDOG_TICKS} periods"
    assert bench.side.holder == ""


def test_periods_in_which_the_loop_did_not_run_are_silent_too(bench):
    epoch = bench.arm()
    bench.order(epoch, 1)
    bench.side.tick(missed=50)
    # A command that waits when the loop runs again is fresh.
    assert (bench.side.mode, bench.side.silent_ticks) == (wire.ACTIVE, 0)
    bench.side.tick(missed=WATCHDOG_TICKS - 2)
    assert bench.side.mode == wire.ACTIVE
    bench.side.tick()
    assert bench.side.mode == wire.DAMPING


def test_the_first_reason_to_damp_stays(bench):
    epoch = bench.arm()
    bench.order(epoch, 1)
    bench.send(B, "stop", "fire")
    assert (bench.side.reason, bench.side.reason_kind) == ("stopped by fire", "stopped")
    after = bench.side.epoch
    assert after > epoch
    bench.send(A, "stop", "")
    bench.side.damp("hot")
    assert (bench.side.reason, bench.side.reason_kind, bench.side.epoch) == (
        "stopped by fire",
        "stopped",
        after,
    )
    bench.side.stand_by("on its feet")
    assert (bench.side.mode, bench.side.reason) == (wire.STANDBY, "on its feet")
    bench.send(A, "stop", "")
    assert (bench.side.mode, bench.side.reason) == (wire.DAMPING, "stopped by a peer without a name")


def test_who_is_silent_is_forgotten_unless_it_holds_the_lease(bench):
    bench.arm(A)
    bench.hello(B)
    bench.side.forget_silent(2_000_000_000)
    assert set(bench.side.peers) == {A, B}
    bench.side.handle(B, wire.pack("heartbeat"), 1)
    bench.side.forget_silent(2_000_000_001)
    assert set(bench.side.peers) == {A, B}
    bench.side.forget_silent(2_000_000_002)
    assert set(bench.side.peers) == {A}


def test_the_peer_that_was_silent_longest_makes_room(bench):
    names = [b"peer %d" % i for i in range(MOST_PEERS)]
    hello = wire.pack("hello", "me", *IDENTITY.packed(), ())
    for at, name in enumerate(names):
        bench.side.handle(name, hello, at)
    bench.side.handle(names[0], wire.pack("heartbeat"), 100)
    bench.side.handle(names[2], hello, 200)
    assert set(bench.side.peers) == set(names)
    bench.side.handle(b"late", hello, 300)
    assert set(bench.side.peers) == {*names, b"late"} - {names[1]}


def test_a_welcome_says_mode_and_the_options_that_are_granted():
    side = RobotSide(ROBOT, IDENTITY, lambda *_: None, lambda: None, ("truth",))
    for asked, granted in ((("truth", "wings"), ("truth",)), (("wings",), ()), ((), ())):
        answer = side.handle(A, wire.pack("hello", "me", *IDENTITY.packed(), asked), 0)
        assert wire.unpack(answer) == ("welcome", (*IDENTITY.packed(), wire.STANDBY, granted))
        assert side.peers[A].wants_truth == ("truth" in granted)


def test_who_has_not_said_hello_may_only_stop_it(bench):
    assert bench.send(A, "arm") == (
        "refused",
        ("hello", "the handshake is missing: send `hello` before `arm`"),
    )
    assert bench.send(A, "heartbeat") is None
    assert bench.send(A, "disarm", 1) is None
    assert bench.send(A, "welcome", *IDENTITY.packed(), 0, ()) is None
    assert counts(bench)[1] == 4
    assert bench.side.mode == wire.STANDBY


def test_states_and_truths_are_numbered_one_after_the_other(bench):
    first = bench.side.state_seq
    bench.side.tick()
    truth = wire.unpack(bench.side.truth(TruthRow(ROBOT)))
    state = wire.unpack(bench.side.state(bench.sensors, 5))
    assert truth[1][0] == state[1][1] == bench.side.state_seq == first + 1
    assert (state[1][0], state[1][3], state[1][4]) == (bench.side.epoch, 5, wire.STANDBY)


@pytest.mark.parametrize("leave", ["hello", "gone"])
def test_a_peer_with_the_routing_id_of_the_holder_has_no_lease(leave):
    """ZeroMQ may give a routing id again after its peer has disconnected."""
    for first_command in (False, True):
        bench = Bench()
        bench.period()
        epoch = bench.arm()
        if first_command:
            assert bench.order(epoch, 1)
        if leave == "gone":
            bench.side.gone(A)
            assert bench.side.holder == ""
            assert A not in bench.side.peers
        bench.hello(name="a stranger")
        assert bench.side.mode == (wire.ACTIVE if first_command else wire.STANDBY)
        bench.period()
        assert not bench.order(bench.side.epoch, 100)
        if first_command:
            for _ in range(WATCHDOG_TICKS):
                bench.side.tick()
            assert bench.side.mode == wire.DAMPING
        # It gets a lease of its own by the usual way.
        assert bench.arm() > epoch


def test_the_departure_of_another_peer_changes_nothing():
    bench = Bench()
    epoch = bench.arm()
    bench.side.gone(b"another")
    assert (bench.side.mode, bench.side.epoch) == (wire.ARMED, epoch)


def test_a_robot_with_servos_takes_positions_only_and_bounds_them():
    robot = RobotModel.load("so101")
    taken = []
    side = RobotSide(robot, identity(robot, 1e-3), lambda row, seq: taken.append(seq), lambda: None)
    side.state(robot.new_sensor_row(), 0)
    q, command = robot.q_nominal, robot.new_command_row()
    side.limit_positions(q.copy(), q)
    side.handle(A, wire.pack("hello", "A", *identity(robot, 1e-3).packed(), ()), 0)
    epoch = wire.unpack(side.handle(A, wire.pack("arm"), 0))[1][0]
    command.q_des[:], command.kp[:] = q, robot.servo.stiffness_Nm_rad
    side.handle(A, CommandCodec.pack(epoch, 1, side.state_seq, 4000, command), 0)
    assert side.mode == wire.ACTIVE
    goal = q + 0.1
    side.limit_positions(goal, q)
    np.testing.assert_allclose(goal - q, robot.velocity_limit_rad_s * 1e-3)
    command.tau_ff[:] = 0.1
    side.handle(A, CommandCodec.pack(epoch, 2, side.state_seq, 4000, command), 0)
    assert side.mode == wire.DAMPING
    assert "for drives that apply torques" in side.reason
    assert len(taken) == 1


@pytest.mark.parametrize(("dt_s", "periods"), [(1e-3, 20), (2e-3, 10), (5e-3, 4)])
def test_a_silent_controller_is_left_after_20_ms_at_every_rate(dt_s, periods):
    told = identity(ROBOT, dt_s)
    side = RobotSide(ROBOT, told, lambda *_: None, lambda: None)
    side.handle(A, wire.pack("hello", "one", *told.packed(), ()), 0)
    epoch = wire.unpack(side.handle(A, wire.pack("arm"), 0))[1][0]
    side.tick()
    side.state(ROBOT.new_sensor_row(), 0)
    side.handle(A, CommandCodec.pack(epoch, 1, side.state_seq, 10**6, ROBOT.new_command_row()), 0)
    side.tick()
    for _ in range(periods - 1):
        side.tick()
        assert side.mode == wire.ACTIVE
        assert side.held_share < 1.0 or dt_s * side.silent_ticks <= 3e-3
    side.tick()
    assert side.mode == wire.DAMPING
    assert side.reason == f"no command was accepted for {periods} periods"
