from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.row_messages import CommandCodec, StateCodec, TruthRow, identity

ROBOTS = {name: RobotModel.load(name) for name in ("ur5", "bolt")}
MOST_BYTES = wire.MAX_BYTES


def filled(row, seed=0):
    row.data[:] = np.random.default_rng(seed).uniform(0.1, 0.5, row.data.size)
    return row


@pytest.mark.parametrize("name", ROBOTS)
def test_a_state_comes_out_as_it_went_in(name):
    robot = ROBOTS[name]
    codec, sent, got = StateCodec(robot), filled(robot.new_sensor_row()), robot.new_sensor_row()
    if not robot.floating:
        sent.gyro[:] = sent.accel[:] = 0.0
    sent.seq[0] = 7
    _, values = wire.unpack(codec.pack(1, 7, 2, wire.ACTIVE, sent))
    assert codec.read(values, got)
    np.testing.assert_array_equal(got.data, sent.data)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_command_comes_out_as_it_went_in(name):
    robot = ROBOTS[name]
    codec, sent, got = CommandCodec(robot), filled(robot.new_command_row()), robot.new_command_row()
    sent.seq[0], sent.t_s[0] = 3, 0.0
    _, values = wire.unpack(codec.pack(1, 3, 9, 4000, sent))
    assert codec.read(values, got)
    np.testing.assert_array_equal(got.data, sent.data)


def test_a_missing_force_sensor_is_no_fault_and_an_infinite_force_is():
    robot = ROBOTS["bolt"]
    codec, sent, got = StateCodec(robot), filled(robot.new_sensor_row()), robot.new_sensor_row()
    for value, fits in ((np.nan, True), (np.inf, False), (1e9, False)):
        sent.contact_force_N[0] = value
        assert codec.read(wire.unpack(codec.pack(1, 1, 2, 0, sent))[1], got) is fits


@given(st.integers(0, 10**6), st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
@settings(max_examples=300, deadline=None)
def test_no_number_that_is_none_gets_through(index, value):
    robot = ROBOTS["bolt"]
    codec, sent, got = StateCodec(robot), filled(robot.new_sensor_row()), robot.new_sensor_row()
    # Not the number, which has no block, and not the stamp, which may be large.
    fields = sent.data.size - 2 - len(robot.contacts)
    sent.data[2 + index % fields] = value
    message = wire.unpack(codec.pack(1, 1, 2, 0, sent))
    assert not codec.read(message[1], got)
    assert not got.data.any()


@given(st.lists(st.binary(max_size=30).map(lambda data: 8 * data), min_size=8, max_size=8))
@settings(max_examples=200, deadline=None)
def test_blocks_of_any_length_are_read_or_refused(blocks):
    robot = ROBOTS["ur5"]
    message = wire.unpack(wire.pack("state", 1, 2, 0.5, 3, 1, 0, *blocks))
    got = robot.new_sensor_row()
    fits = [len(block) for block in blocks[:3]] == [48] * 3 and not blocks[7]
    assert not StateCodec(robot).read(message[1], got) or fits
    assert np.isfinite(got.data).all()


@pytest.mark.parametrize("name", ["g1", "talos"])
def test_the_largest_robots_fit_into_a_message(name):
    robot = RobotModel.load(name)
    state = StateCodec(robot).pack(2**63, 2**63, 2**63, 3, robot.new_sensor_row())
    command = CommandCodec.pack(2**63, 2**63, 2**63, 4000, robot.new_command_row())
    truth = wire.pack("truth", 2**63, TruthRow(robot).data.data)
    hello = wire.pack("hello", "x" * wire.MAX_NAME, *identity(robot, 1e-3).packed(), ("truth",))
    for message in (state, command, truth, hello):
        assert wire.unpack(message) is not None
