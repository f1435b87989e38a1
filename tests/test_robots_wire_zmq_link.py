"""The controller's end against a robot that is played by hand."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
import zmq

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.row_messages import StateCodec, TruthRow, identity
from kilohertz.robots.wire.zmq_link import BAD_STATES, SAME_TIMES, STALL, ZmqLink, stop_robot

pytestmark = pytest.mark.host

ROBOT = RobotModel.load("ur5")
PANDA = identity(RobotModel.load("panda"), 1e-3)
EPOCH = 1234
NAN_ELBOW = "q of elbow_joint is nan, which is not finite"


class PlayedRobot:
    """A robot that does as a test says; it shakes hands and arms by itself."""

    def __init__(self, endpoint):
        self.context = zmq.Context()
        self.context.linger = 0
        self.router = self.context.socket(zmq.ROUTER)
        self.router.bind(endpoint)
        self.peer = None
        self.seq = 0
        self.got = []
        self.row = ROBOT.new_sensor_row()
        self.row.q[:] = ROBOT.q_nominal
        self.codec = StateCodec(ROBOT)
        self.identity = identity(ROBOT, 1e-3)
        self.armed = False
        self.refusal = None

    def state(self, *, epoch=None, t_s=None, seq=None, mode=wire.ARMED):
        if seq is None:
            self.seq += 1
            seq = self.seq
        self.row.t_s[0] = 1e-3 * seq if t_s is None else t_s
        epoch = (EPOCH if self.armed else 0) if epoch is None else epoch
        self.send(self.codec.pack(epoch, seq, 0, mode, self.row))

    def send(self, payload):
        self.router.send_multipart((self.peer, payload))

    def play(self):
        """Answers what has come, and tells a state."""
        while self.router.poll(0):
            self.peer, payload = self.router.recv_multipart()
            kind, values = wire.unpack(payload)
            self.got.append((kind, values))
            if kind == "hello":
                self.send(self.refusal or wire.pack("welcome", *self.identity.packed(), 0, ()))
            elif kind == "arm":
                self.armed = True
                self.send(wire.pack("armed", EPOCH))
        if self.peer is not None:
            self.state()


@pytest.fixture
def played(tmp_path):
    robot = PlayedRobot(f"ipc://{tmp_path / 'robot'}")
    link = ZmqLink(ROBOT, f"ipc://{tmp_path / 'robot'}", truth=False)
    yield robot, link
    link.abandon()
    robot.router.close(0)
    robot.context.term()


@pytest.fixture
def armed(played):
    robot, link = played
    link.arm(between=robot.play)
    sensors = ROBOT.new_sensor_row()
    # All that was said while it armed; some of it may still be on its way.
    while sensors.seq[0] < robot.seq:
        assert link.read(sensors)
    return robot, link, sensors


def test_it_reads_the_newest_state_and_answers_it(armed):
    robot, link, sensors = armed
    for value in (0.1, 0.2, 0.3):
        robot.row.q[0] = value
        robot.state()
    robot.router.poll(20)
    while sensors.q[0] != 0.3:
        assert link.read(sensors)
    link.write(ROBOT.new_command_row())
    for _ in range(200):
        robot.router.poll(10)
        robot.play()
        commands = [values for kind, values in robot.got if kind == "command"]
        if commands:
            break
    command = commands[0]
    assert command[:3] == (EPOCH, 1, int(sensors.seq[0]))


def test_old_doubled_and_replayed_states_are_not_news(armed):
    robot, link, sensors = armed
    robot.state(seq=1)
    robot.state(seq=robot.seq)
    assert not link.read(sensors)
    assert "no state" in link.lost_because


def test_three_states_that_cannot_be_and_it_gives_up(armed):
    robot, link, sensors = armed
    before = sensors.data.copy()
    robot.row.q[2] = np.nan
    for _ in range(BAD_STATES - 1):
        robot.state()
    robot.row.q[2] = 0.0
    robot.state()
    assert link.read(sensors)
    robot.row.q[2] = np.nan
    for _ in range(BAD_STATES):
        robot.state()
    assert not link.read(sensors)
    assert link.lost_because == f"{BAD_STATES} states of the robot were refused: {NAN_ELBOW}"
    assert np.isfinite(sensors.data).all()
    assert not np.array_equal(before, sensors.data)


@pytest.mark.parametrize(
    ("epoch", "mode"), [(EPOCH + 1, wire.ACTIVE), (EPOCH, wire.DAMPING), (EPOCH, wire.STANDBY)]
)
def test_a_lease_that_is_gone_ends_it(armed, epoch, mode):
    robot, link, sensors = armed
    robot.state(epoch=epoch, mode=mode)
    assert not link.read(sensors)
    assert "lease" in link.lost_because


def test_a_first_command_that_came_too_late_is_given_again(armed):
    robot, link, sensors = armed
    link.write(ROBOT.new_command_row())
    frozen_s = float(sensors.t_s[0])
    for _ in range(SAME_TIMES):
        robot.state(t_s=frozen_s)
        # Time stands still: no new sample, but in the end the same answer to the newer state.
        assert not link.read(sensors)
    for _ in range(2000):
        robot.router.poll(1)
        robot.play()
        if sum(kind == "command" for kind, _ in robot.got) == 2:
            break
    commands = [values for kind, values in robot.got if kind == "command"]
    assert commands[0][4:] == commands[1][4:]
    assert commands[1][1] == 2
    assert commands[1][2] > commands[0][2]


def test_what_cannot_be_sent_is_counted_and_never_waited_for(tmp_path):
    link = ZmqLink(ROBOT, f"ipc://{tmp_path / 'nobody'}", truth=False)
    command = ROBOT.new_command_row()
    for _ in range(100):
        link.write(command)
    assert link.unsent == 100
    link.abandon()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (wire.pack("refused", "joints", "number 0 is another"), "wrong robot: joints: number 0 is another"),
        (b"\x92\x05\xa7welcome", "protocol: the robot uses protocol version 5"),
        (
            wire.pack("welcome", *identity(RobotModel.load("panda"), 1e-3).packed(), 0, ()),
            "wrong robot: robot",
        ),
    ],
)
def test_a_wrong_robot_is_refused_with_its_reason(played, refusal, told):
    robot, link = played
    robot.refusal = refusal
    with pytest.raises(ConfigError, match=told):
        link.connect(between=robot.play)


def test_a_robot_that_moves_is_not_armed(played):
    robot, link = played

    def moving():
        robot.row.q[1] += 1e-3
        robot.play()

    with pytest.raises(ConfigError, match=r"not armed: .* moves at"):
        link.arm(between=moving)


def arrived(link):
    """Waits until something that the robot has sent can be received, however busy the host is."""
    assert link._socket.poll(10_000)
    time.sleep(0.01)


def test_states_that_are_all_refused_are_told_with_their_count_and_reason(played):
    robot, link = played
    robot.row.q[2] = np.nan
    with pytest.raises(ConfigError, match=rf"not armed: \d+ states of the robot were refused: {NAN_ELBOW}"):
        link.arm(timeout_s=0.3, between=robot.play)
    assert link.refused.total > 3


def test_an_answer_that_is_not_valid_is_told_instead_of_nobody_there(played):
    robot, link = played
    robot.refusal = wire.pack("welcome", *robot.identity.packed(), 0)
    with pytest.raises(ConfigError, match="refused: `welcome` has 7 fields instead of 8"):
        link.connect(timeout_s=0.3, between=robot.play)


def test_messages_that_are_no_states_are_told_too(played):
    robot, link = played
    robot.state = lambda: robot.send(wire.pack("state", 1, 2, 0.5, 3))
    with pytest.raises(ConfigError, match="refused: `state` has 4 fields instead of 14"):
        link.arm(timeout_s=0.3, between=robot.play)


def test_time_stamps_in_milliseconds_are_refused_before_arming(played):
    robot, link = played
    stated = robot.state
    robot.state = lambda: stated(t_s=1.0 * robot.seq)
    with pytest.raises(ConfigError, match="as if in ms and not in seconds"):
        link.arm(between=robot.play)


def test_a_robot_that_counts_its_states_from_the_start_again_is_told(armed):
    robot, link, sensors = armed
    for seq in (1, 2, 3):
        robot.state(seq=seq)
    arrived(link)
    assert not link.read(sensors)
    assert "no state was received" in link.lost_because
    assert "`seq` does not rise, it is 3 after" in link.lost_because


def test_time_stamps_that_stand_still_are_the_reason(armed, monkeypatch):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    frozen_s, states = float(sensors.t_s[0]), []

    def come(flags=0):
        if flags:
            return None
        states.append(robot.seq)
        row, robot.seq = robot.row, robot.seq + 1
        row.t_s[0] = frozen_s
        return robot.codec.pack(EPOCH, robot.seq, 0, wire.ACTIVE, row)

    monkeypatch.setattr(link, "_receive", come)
    assert not link.read(sensors)
    assert "`t_robot_s` stands still at" in link.lost_because


def test_a_stall_of_this_computer_is_not_blamed_on_the_robot(armed):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    time.sleep(0.05)
    robot.state(epoch=EPOCH + 1, mode=wire.DAMPING)
    arrived(link)
    assert not link.read(sensors)
    words = re.match(r"this computer stalled for (\d+) ms, in which it sent no command; ", link.lost_because)
    assert int(words[1]) >= 50
    assert "the robot has revoked the lease" in link.lost_because


def test_a_stall_that_is_survived_is_an_event(armed):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    time.sleep(0.03)
    robot.row.q[0] = 0.3
    robot.state(mode=wire.ACTIVE)
    arrived(link)
    assert link.read(sensors)
    event = link.events[-1]
    assert event["kind"] == STALL
    assert event["text"].startswith("this computer stalled for ")
    count, longest_s = link.stalls
    assert count >= 1
    assert longest_s >= 0.03


def test_nobody_there_is_a_lost_link(tmp_path):
    endpoint = f"ipc://{tmp_path / 'nobody'}"
    with pytest.raises(LinkLostError, match="no robot answers"):
        stop_robot(endpoint, "test", timeout_s=0.1)


def commanded(robot, link, sensors):
    """The robot is active, and every state but those that a test holds back has been answered."""
    robot.row.v[:] = 0.5
    robot.row.q[0] = 0.1
    robot.state(mode=wire.ACTIVE)
    while sensors.q[0] != 0.1:
        assert link.read(sensors)
    link.write(ROBOT.new_command_row())


def test_states_that_are_overdue_are_predicted_and_then_it_gives_up(armed):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    q, t_s, seq = sensors.q.copy(), float(sensors.t_s[0]), float(sensors.seq[0])
    steps = 0
    while link.read(sensors):
        steps += 1
        link.write(ROBOT.new_command_row())
        np.testing.assert_allclose(sensors.q, q + 0.5e-3 * steps)
        assert sensors.t_s[0] == pytest.approx(t_s + 1e-3 * steps)
        assert sensors.seq[0] == seq
    assert link.predicted == steps > 0
    assert "no state was received" in link.lost_because


def test_a_robot_that_floods_the_link_with_other_messages_does_not_hold_up_the_tick(armed, monkeypatch):
    _, link, _ = armed
    event, received = wire.pack("event", 0.0, "noise", "again"), 0

    def receive(flags=0):
        nonlocal received
        received += 1
        assert received < 10_000_000, "the tick never ends"
        return event

    monkeypatch.setattr(link, "_receive", receive)
    assert not link.read(ROBOT.new_sensor_row())
    assert "no state" in link.lost_because
    assert received > 3


def test_a_state_whose_truth_has_come_is_not_overdue_yet(armed, monkeypatch):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    link._companions.truth = TruthRow(ROBOT)
    seq = robot.seq + 1
    robot.row.t_s[0] += 1e-3
    truth = wire.pack("truth", seq, link.truth.data.data)
    state = robot.codec.pack(EPOCH, seq, 0, wire.ACTIVE, robot.row)
    come = [None, truth, None, state, None]
    monkeypatch.setattr(link, "_receive", lambda flags=0: come.pop(0))
    assert link.read(sensors)
    assert (link.predicted, sensors.seq[0], come) == (0, seq, [])
    # But without its state, a truth does not keep a prediction from being made.
    come += [None, wire.pack("truth", seq + 1, link.truth.data.data), None, None]
    assert link.read(sensors)
    assert (link.predicted, come) == (1, [])


def test_a_state_that_was_predicted_is_not_read_again_when_it_comes_late(armed):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    assert link.read(sensors)
    predicted_t_s = float(sensors.t_s[0])
    assert link.predicted == 1
    robot.row.q[0] = 0.2
    robot.state(t_s=predicted_t_s, mode=wire.ACTIVE)
    robot.state(t_s=predicted_t_s + 1e-3, mode=wire.ACTIVE)
    while sensors.q[0] != 0.2:
        assert link.read(sensors)
    assert sensors.t_s[0] > predicted_t_s


def test_the_clock_of_a_robot_may_jump_back(armed):
    robot, link, sensors = armed
    commanded(robot, link, sensors)
    robot.row.q[0] = 0.2
    robot.state(t_s=-3600.0, mode=wire.ACTIVE)
    while sensors.q[0] != 0.2:
        assert link.read(sensors)
    assert sensors.t_s[0] == -3600.0
