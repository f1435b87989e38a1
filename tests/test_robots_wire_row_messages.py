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
@settings(max_examples=100, deadline=None)
def test_no_number_that_is_none_gets_through(index, value):
    robot = ROBOTS["bolt"]
    codec, sent, got = StateCodec(robot), filled(robot.new_sensor_row()), robot.new_sensor_row()
    # Not the number, which has no block, and not the stamp, which may be large.
    fields = sent.data.size - 2 - len(robot.contacts)
    at = 2 + index % fields
    if np.isnan(value) and 2 + 2 * robot.na <= at < 2 + 3 * robot.na:
        value = np.inf  # NaN is an unknown torque
    sent.data[at] = value
    message = wire.unpack(codec.pack(1, 1, 2, 0, sent))
    assert not codec.read(message[1], got)
    assert not got.data.any()


@given(st.lists(st.binary(max_size=30).map(lambda data: 8 * data), min_size=8, max_size=8))
@settings(max_examples=80, deadline=None)
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


def edges(robot, sign):
    """The farthest believable value of each field of a state, upwards or downwards."""
    limit = robot.position_upper_rad if sign > 0 else robot.position_lower_rad
    return {
        "q": limit + sign * np.pi,
        "v": sign * 10.0 * robot.velocity_limit_rad_s,
        "tau": sign * 10.0 * robot.torque_limit_Nm,
        "gyro": np.full(3, sign * 100.0),
        "accel": np.full(3, sign * 1000.0),
        "contact_force_N": np.full(len(robot.contacts), sign * 1e5),
    }


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("field", ["q", "v", "tau", "gyro", "accel", "contact_force_N"])
def test_a_state_is_believed_up_to_its_limits(field, sign):
    robot = ROBOTS["bolt"]
    codec, got = StateCodec(robot), robot.new_sensor_row()
    edge = edges(robot, sign)[field]
    for i in np.flatnonzero(np.isfinite(edge)):
        for value, fits in ((edge[i], True), (np.nextafter(edge[i], sign * np.inf), False)):
            sent = filled(robot.new_sensor_row())
            getattr(sent, field)[i] = value
            got.data[:] = 0.0
            assert codec.read(wire.unpack(codec.pack(1, 1, 2, 0, sent))[1], got) is fits
            assert got.data.any() == fits


@pytest.mark.parametrize("field", ["q_des", "v_des", "kp", "kd", "tau_ff"])
def test_a_command_is_taken_up_to_its_limits(field):
    robot = ROBOTS["bolt"]
    codec, got = CommandCodec(robot), robot.new_command_row()
    gain = (np.zeros(robot.na), np.full(robot.na, 1e5))
    low, high = {
        "q_des": (robot.position_lower_rad - np.pi, robot.position_upper_rad + np.pi),
        "v_des": (-10.0 * robot.velocity_limit_rad_s, 10.0 * robot.velocity_limit_rad_s),
        "tau_ff": (-2.0 * robot.torque_limit_Nm, 2.0 * robot.torque_limit_Nm),
    }.get(field, gain)
    for edge, way in ((low, -np.inf), (high, np.inf)):
        for i in np.flatnonzero(np.isfinite(edge)):
            for value, fits in ((edge[i], True), (np.nextafter(edge[i], way), False)):
                sent = filled(robot.new_command_row())
                getattr(sent, field)[i] = value
                got.data[:] = 0.0
                assert codec.read(wire.unpack(codec.pack(1, 1, 2, 4000, sent))[1], got) is fits
                assert got.data.any() == fits


def test_what_the_sender_says_of_its_time_and_number_does_not_replace_the_packets():
    robot = ROBOTS["bolt"]
    codec, sent, got = CommandCodec(robot), filled(robot.new_command_row()), robot.new_command_row()
    sent.seq[0], sent.t_s[0] = 99.0, 5.0
    kind, values = wire.unpack(codec.pack(3, 7, 11, 4000, sent))
    assert (kind, values[:4]) == ("command", (3, 7, 11, 4000))
    assert codec.read(values, got)
    assert (got.seq[0], got.t_s[0]) == (7.0, 0.0)


def test_a_state_says_its_epoch_number_times_and_mode():
    robot = ROBOTS["ur5"]
    sent = filled(robot.new_sensor_row())
    sent.seq[0], sent.t_s[0] = 99.0, 0.25
    kind, values = wire.unpack(StateCodec(robot).pack(3, 7, 11, wire.DAMPING, sent))
    assert (kind, values[:6]) == ("state", (3, 7, 0.25, 11, wire.DAMPING, 0))
    got = robot.new_sensor_row()
    assert StateCodec(robot).read(values, got)
    assert (got.seq[0], got.t_s[0]) == (7.0, 0.25)
    assert values[9:13] == (b"",) * 4


def test_a_truth_comes_out_as_it_went_in_and_no_other_length_is_taken():
    robot = ROBOTS["bolt"]
    sent, got = TruthRow(robot), TruthRow(robot)
    assert np.isnan(sent.data).all()
    filled(sent)
    _, values = wire.unpack(wire.pack("truth", 3, sent.data.data))
    assert got.read(values)
    np.testing.assert_array_equal(got.data, sent.data)
    for wrong in (sent.data[:-1], np.append(sent.data, 0.0), sent.data[:0]):
        assert not got.read((3, wrong.tobytes()))


def test_a_truth_has_a_number_for_each_joint_contact_and_hand():
    robot = ROBOTS["ur5"]
    row, hands = TruthRow(robot), len(robot.hands)
    assert (row.t_s.size, row.fell_at_s.size, row.mass_kg.size) == (1, 1, 1)
    assert (row.q.size, row.v.size, row.tau.size) == (robot.nq, robot.nv, robot.na)
    assert [row.p_WC.size, row.v_WC.size, row.p_WR.size] == [3, 3, 3]
    assert (row.p_WH.size, row.R_WH.size) == (3 * hands, 9 * hands)
    biped = TruthRow(ROBOTS["bolt"])
    feet = len(ROBOTS["bolt"].contacts)
    assert (biped.p_WF.size, biped.contact_force_W.size, biped.cop_W.size) == (3 * feet,) * 3
    assert biped.normal_force_N.size == feet


def test_the_identity_is_that_of_robot_yaml_and_its_model():
    robot = ROBOTS["bolt"]
    told = identity(robot, 2e-3)
    assert (told.robot, told.joints, told.contacts) == (robot.name, robot.joint_names, robot.contact_names)
    assert (told.dt_s, told.model_sha256, told.units) == (2e-3, robot.model_sha256, "rad rad/s Nm m/s2 N s")
