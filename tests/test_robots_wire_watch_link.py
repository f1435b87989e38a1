from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from test_robots_wire_robot_side import IDENTITY, ROBOT

from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.robot_side import MOST_PEERS, MOST_WATCHERS, TRUTH, WATCH, RobotSide
from kilohertz.robots.wire.row_messages import CommandCodec
from kilohertz.robots.wire.watch_link import WatchLink

COMMANDER, WATCHER = b"commander", b"watcher"


class Robot:
    def __init__(self):
        self.taken, self.sent = [], []
        self.side = RobotSide(ROBOT, IDENTITY, lambda row, seq: self.taken.append(seq), lambda: None)
        self.side.send = lambda peer, payload: self.sent.append((peer, wire.unpack(payload)))

    def hello(self, peer, *options, name="one"):
        answer = self.side.handle(peer, wire.pack("hello", name, *IDENTITY.packed(), options), 0)
        return wire.unpack(answer)

    def ask(self, peer, *message):
        answer = self.side.handle(peer, wire.pack(*message), 0)
        return None if answer is None else wire.unpack(answer)

    def state(self):
        self.side.tick()
        self.side.state(ROBOT.new_sensor_row(), 0)
        return self.side.state_seq

    def command(self, peer, epoch, seq, row=None):
        row = row if row is not None else ROBOT.new_command_row()
        self.side.handle(peer, CommandCodec.pack(epoch, seq, self.side.state_seq, 4000, row), 250_000)


def armed():
    robot = Robot()
    assert robot.hello(COMMANDER)[0] == "welcome"
    assert robot.hello(WATCHER, WATCH)[1][7] == (WATCH,)
    epoch = robot.ask(COMMANDER, "arm")[1][0]
    robot.state()
    return robot, epoch


def test_a_watcher_gets_a_copy_of_each_accepted_command_with_its_round_trip():
    robot, epoch = armed()
    row = ROBOT.new_command_row()
    row.tau_ff[:] = 0.25
    robot.command(COMMANDER, epoch, 1, row)
    assert robot.taken == [robot.side.state_seq]
    ((peer, (kind, values)),) = robot.sent
    assert (peer, kind) == (WATCHER, "watched")
    assert values[:2] == (robot.side.state_seq, 250.0)
    np.testing.assert_array_equal(np.frombuffer(values[6]), row.tau_ff)
    # A command that is not accepted is not copied.
    robot.command(COMMANDER, epoch, 1, row)
    assert len(robot.sent) == 1


def test_a_watcher_gets_no_lease_and_its_commands_are_refused():
    robot, epoch = armed()
    assert robot.ask(WATCHER, "arm")[1][0] == "lease"
    robot.command(WATCHER, epoch, 5)
    assert robot.ask(WATCHER, "disarm", epoch) is None
    assert robot.taken == []
    assert robot.side.holder
    assert robot.side.epoch == epoch
    robot.command(COMMANDER, epoch, 1)
    assert robot.side.mode == wire.ACTIVE


def test_a_watcher_gets_no_lease_either_where_nobody_has_it():
    robot = Robot()
    robot.hello(WATCHER, WATCH)
    kind, values = robot.ask(WATCHER, "arm")
    assert kind == "refused"
    assert "watch only" in values[1]
    assert robot.side.mode == wire.STANDBY
    # It may greet again to command.
    robot.hello(WATCHER)
    assert robot.ask(WATCHER, "arm")[0] == "armed"


def test_who_holds_the_lease_and_greets_to_watch_loses_it():
    robot, epoch = armed()
    robot.hello(COMMANDER, WATCH)
    robot.command(COMMANDER, epoch, 1)
    assert robot.taken == []
    assert robot.side.mode == wire.STANDBY


def test_watchers_displace_nobody_and_there_are_few_of_them():
    robot = Robot()
    for i in range(MOST_WATCHERS):
        assert robot.hello(b"w%d" % i, WATCH)[0] == "welcome"
    kind, values = robot.hello(b"another", WATCH)
    assert kind == "refused"
    assert values[0] == WATCH
    # One of them may repeat its greeting.
    assert robot.hello(b"w0", WATCH)[0] == "welcome"
    full = Robot()
    for i in range(MOST_PEERS):
        full.hello(b"p%d" % i)
    assert full.hello(WATCHER, WATCH)[0] == "refused"
    assert len(full.side.peers) == MOST_PEERS
    assert WATCHER not in full.side.peers


def test_a_robot_that_has_no_socket_for_copies_still_takes_commands():
    robot, epoch = armed()
    robot.side.send = None
    robot.command(COMMANDER, epoch, 1)
    assert len(robot.taken) == 1
    assert robot.sent == []


class Wire:
    """Takes the place of the socket of a link, and records what the link sends."""

    def __init__(self, monkeypatch, tmp_path, **options):
        module = "kilohertz.robots.wire.zmq_link"
        self.sent, self.waiting, self.copies = [], [], []
        dealer = SimpleNamespace(closed=False, close=lambda *_: None)
        monkeypatch.setattr(f"{module}.check_endpoint", lambda *_, **__: None)
        monkeypatch.setattr(f"{module}.require_own_peer", lambda *_: None)
        monkeypatch.setattr(f"{module}.controller_socket", lambda *_, **__: dealer)
        monkeypatch.setattr(
            f"{module}.send", lambda _, payload: self.sent.append(wire.unpack(payload)) or True
        )
        monkeypatch.setattr(f"{module}.receive", lambda *_: self.waiting.pop(0) if self.waiting else None)
        self.link = WatchLink(
            ROBOT, f"ipc://{tmp_path}/robot", watched=lambda *copy: self.copies.append(copy[:2]), **options
        )
        self.side = Robot().side

    def state(self, t_s, mode=wire.ACTIVE):
        row = ROBOT.new_sensor_row()
        row.t_s[0] = t_s
        self.side.mode = mode
        self.waiting.append(self.side.state(row, 0))


def test_a_watching_link_sends_nothing_but_heartbeats(monkeypatch, tmp_path):
    wired = Wire(monkeypatch, tmp_path)
    sensors = ROBOT.new_sensor_row()
    wired.state(1.0)
    assert wired.link.read(sensors)
    wired.link.write(ROBOT.new_command_row())
    wired.link.close()
    assert {message[0] for message in wired.sent} <= {"heartbeat"}


def test_in_lockstep_states_are_read_one_by_one_and_else_the_newest(monkeypatch, tmp_path):
    sensors = ROBOT.new_sensor_row()
    for lockstep, first in ((True, 1.0), (False, 1.002)):
        wired = Wire(monkeypatch, tmp_path, lockstep=lockstep)
        for t_s in (1.0, 1.001, 1.002):
            wired.state(t_s)
        assert wired.link.read(sensors)
        assert sensors.t_s[0] == first


def test_the_link_is_over_when_the_robot_is_no_longer_commanded(monkeypatch, tmp_path):
    wired = Wire(monkeypatch, tmp_path, lockstep=True)
    sensors = ROBOT.new_sensor_row()
    wired.state(1.0)
    wired.state(1.001, mode=wire.DAMPING)
    assert wired.link.read(sensors)
    assert not wired.link.over
    assert wired.link.read(sensors)
    assert wired.link.over


def test_a_robot_that_falls_silent_is_a_lost_link(monkeypatch, tmp_path):
    wired = Wire(monkeypatch, tmp_path, silent_ms=1)
    assert not wired.link.read(ROBOT.new_sensor_row())
    assert "no state was received" in wired.link.lost_because


def test_copies_of_commands_are_handed_on_and_bad_ones_dropped(monkeypatch, tmp_path):
    wired = Wire(monkeypatch, tmp_path)
    row = ROBOT.new_command_row()
    blocks = (row.q_des, row.v_des, row.kp, row.kd, row.tau_ff)
    good = wire.pack("watched", 7, 420.0, *(block.tobytes() for block in blocks))
    short = wire.pack("watched", 8, 420.0, *(b"" for _ in blocks))
    for payload in (good, short, b"", good[:-3]):
        wired.link.take_in(payload)
    assert wired.copies == [(7, 420.0)]


def test_the_handshake_asks_to_watch(monkeypatch, tmp_path):
    wired = Wire(monkeypatch, tmp_path)
    monkeypatch.setattr("kilohertz.robots.wire.zmq_link.ask", lambda _, __, hello, *___: answer(hello))

    def answer(hello):
        wired.hello = wire.unpack(hello)
        return (*IDENTITY.packed(), wire.STANDBY, ())

    wired.link.connect()
    assert set(wired.hello[1][7]) == {TRUTH, WATCH}


@pytest.mark.parametrize("mode", [wire.ARMED, wire.ACTIVE])
def test_it_waits_for_somebody_who_commands_the_robot(monkeypatch, tmp_path, mode):
    wired = Wire(monkeypatch, tmp_path)
    monkeypatch.setattr(wired.link, "connect", lambda **_: None)
    wired.state(0.0, mode=wire.STANDBY)
    wired.state(0.0, mode=mode)
    wired.link.arm(timeout_s=5.0)
    assert not wired.waiting
