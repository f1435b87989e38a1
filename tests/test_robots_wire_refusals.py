"""Refused states are counted, and the latest one has a reason."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.refusals import RefusedStates
from kilohertz.robots.wire.row_messages import StateCodec

ROBOTS = {name: RobotModel.load(name) for name in ("ur5", "bolt", "g1")}


def values_of(robot, **fields):
    row = robot.new_sensor_row()
    row.q[:] = robot.q_nominal[robot.nq_base :]
    row.accel[2] = 9.81
    for name, (index, value) in fields.items():
        getattr(row, name)[index] = value
    return wire.unpack(StateCodec(robot).pack(1, 5, 0, wire.ARMED, row))[1]


def told(robot, values):
    refused = RefusedStates(robot, StateCodec(robot))
    refused.not_plausible(values)
    return refused.reason


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("ur5", {"q": (3, np.nan)}, "q of wrist_1_joint is nan, which is not finite"),
        ("ur5", {"v": (2, -np.inf)}, "v of elbow_joint is -inf, which is not finite"),
        ("ur5", {"v": (2, 90.0)}, "v of elbow_joint is 90 rad/s, more than 31.5 rad/s: as if in deg/s"),
        ("ur5", {"q": (2, 30.0)}, "q of elbow_joint is 30 rad, more than pi outside its limits"),
        ("ur5", {"tau": (0, 1e4)}, "tau of shoulder_pan_joint is 10000 Nm, more than 1500 Nm: as if in mNm"),
        ("bolt", {"gyro": (1, 150.0)}, "gyro[1] is 150 rad/s, more than 100 rad/s: as if in deg/s"),
        ("bolt", {"accel": (2, 1001.0)}, "accel[2] is 1001 m/s2, more than 1000 m/s2: as if in mg"),
        (
            "bolt",
            {"contact_force_N": (0, np.inf)},
            "contact_force_N of left_foot is inf, which is not finite",
        ),
    ],
)
def test_the_field_the_value_and_its_bound_are_named(name, fields, reason):
    assert reason in told(ROBOTS[name], values_of(ROBOTS[name], **fields))


def test_a_posture_in_degrees_is_named_as_such():
    robot = ROBOTS["g1"]
    row = robot.new_sensor_row()
    row.q[:] = np.degrees(robot.q_nominal[7:])
    values = wire.unpack(StateCodec(robot).pack(1, 5, 0, wire.ARMED, row))[1]
    assert "as if in degrees and not in rad" in told(robot, values)


def test_a_block_of_a_wrong_length_is_named():
    robot = ROBOTS["ur5"]
    values = list(values_of(robot))
    values[8] = values[8][:-8]
    assert told(robot, tuple(values)) == "`tau` has 5 numbers instead of 6"
    floating = list(values_of(ROBOTS["bolt"]))
    floating[11] = b""
    assert told(ROBOTS["bolt"], tuple(floating)) == "`gyro` has 0 numbers instead of 3"


def test_a_good_state_has_no_reason():
    assert told(ROBOTS["ur5"], values_of(ROBOTS["ur5"])) == ""


STATE = [1, 5, 0.5, 3, 1, 0, *[b""] * 8]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "the message is empty, or has several frames"),
        (b"x" * 5000, "the message has 5000 bytes; at most 4096 are allowed"),
        (b"\xc1", "the message is not msgpack as the protocol allows it"),
        (msgpack.packb("state"), "the message is not an array"),
        (msgpack.packb([2, "state", *STATE]), "the message has protocol version 2, not 1"),
        (msgpack.packb([1, "states", *STATE]), "the protocol has no message of the kind 'states'"),
        (msgpack.packb([1, "state", *STATE[:-1]]), "`state` has 13 fields instead of 14"),
        (msgpack.packb([1, "state", 1, -5, *STATE[2:]]), "`seq` is -5, not an integer that is not negative"),
        (msgpack.packb([1, "state", 1, 5, 3, *STATE[3:]]), "`t_robot_s` is 3, not a finite 64-bit float"),
        (
            msgpack.packb([1, "state", *STATE[:6], [0.1, 0.2], *STATE[7:]]),
            "`q` is an array of 2 entries, not a bin of 8 bytes per number",
        ),
        (msgpack.packb([1, "state", *STATE[:4], 7, *STATE[5:]]), "`mode` is 7, not a mode from 0 to 3"),
        (msgpack.packb([1, "armed", "x"]), "field 1 of `armed` is 'x', not an integer"),
    ],
)
def test_a_message_that_is_not_valid_says_what_is_wrong(payload, reason):
    assert wire.unpack(payload) is None
    refused = RefusedStates(ROBOTS["ur5"], StateCodec(ROBOTS["ur5"]))
    refused.not_valid(payload)
    assert reason in refused.reason


def test_a_valid_message_has_no_problem():
    assert wire.problem(wire.pack("armed", 3)) == ""


def test_counts_restart_with_every_accepted_state_and_the_total_does_not():
    robot = ROBOTS["ur5"]
    refused = RefusedStates(robot, StateCodec(robot))
    assert refused.sentence() == refused.since_accepted(0) == refused.reason == ""
    values = values_of(robot, q=(3, np.nan))
    for _ in range(3):
        refused.not_plausible(values)
    reason = "q of wrist_1_joint is nan, which is not finite"
    assert refused.since_accepted(9) == f"3 states of the robot were refused: {reason}"
    refused.accepted()
    assert refused.since_accepted(9) == ""
    refused.old(4)
    assert refused.since_accepted(9) == (
        "1 state of the robot was refused: `seq` does not rise, it is 4 after 9"
    )
    refused.not_plausible(values)
    assert refused.sentence() == f"4 states of the robot were refused: {reason}"
