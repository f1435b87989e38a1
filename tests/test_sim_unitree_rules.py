"""Every rule of a Unitree robot, broken once: the command is refused, with the right sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import G1
from kilohertz.robots.unitree.low_command import LowCommand
from kilohertz.robots.unitree.messages import Message
from kilohertz.sim.unitree_rules import CommandRules

ROBOT = RobotModel.load("g1")
SLOTS = G1.slots(ROBOT.joint_names)
CORRUPTED = 20_000


def right(kp: float = 50.0) -> bytes:
    q = ROBOT.q_nominal[ROBOT.nq_base :]
    gains = np.full(ROBOT.na, kp)
    return LowCommand(G1, SLOTS, 1.0).pack(5, q, 0.0 * q, gains, 0.02 * gains, 0.0 * q)


def changed(change: Callable[[Message], None], *, sums: bool = True) -> bytes:
    message = Message(G1.command)
    message.unpack(right())
    change(message)
    if sums:
        message.fields["crc"] = checksum(message.memory)
    return message.pack()


def to(field: str, value: float, slot: int | None = None) -> Callable[[Message], None]:
    def change(message: Message) -> None:
        if slot is None:
            message.fields[field] = value
        else:
            message.fields["motor_cmd"][field][slot] = value

    return change


def judged(payload: bytes, service: str = "") -> str:
    rules, command = CommandRules(ROBOT, G1, 5), ROBOT.new_command_row()
    taken = rules.take(payload, command, service)
    assert taken == (rules.refusal == "") == bool(rules.accepted)
    assert taken != bool(rules.refused)
    assert taken or not command.data.any()
    return rules.refusal


def test_a_right_command_is_taken_in_the_models_order() -> None:
    rules, command = CommandRules(ROBOT, G1, 5), ROBOT.new_command_row()
    assert rules.take(right(), command, "")
    np.testing.assert_allclose(command.q_des, ROBOT.q_nominal[ROBOT.nq_base :], rtol=1e-6)
    assert command.kp.tolist() == [50.0] * ROBOT.na


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"0123", "4 bytes are not a unitree_hg.msg.dds_.LowCmd_"),
        (changed(to("crc", 0), sums=False), "the command has no checksum: crc is 0"),
        (changed(to("crc", 1), sums=False), "the checksum is wrong"),
        (changed(to("mode_machine", 0)), "mode_machine is 0, and 5 in the state: copy it from there"),
        (changed(to("mode_pr", 1)), "mode_pr is 1: this stand-in has no parallel joints, send 0"),
        (
            changed(to("mode", 0, 3)),
            "motor 3 (left_knee_joint) has the mode 0: it follows commands in mode 1",
        ),
        (changed(to("tau", np.nan, 28)), "tau of motor 28 (right_wrist_yaw_joint) is nan"),
        (changed(to("q", np.inf, 0)), "q of motor 0 (left_hip_pitch_joint) is inf"),
        (changed(to("kd", -1.0, 12)), "kd of motor 12 (waist_yaw_joint) is negative"),
        (
            changed(to("q", 2.0, 5)),
            "q of motor 5 (left_ankle_roll_joint) is 2.00 rad, far beyond its range: "
            "are the motors in the right order?",
        ),
    ],
    ids=[
        "bytes",
        "no checksum",
        "wrong checksum",
        "mode_machine",
        "mode_pr",
        "off",
        "nan",
        "inf",
        "gain",
        "order",
    ],
)
def test_a_rule_that_is_broken_is_named(payload: bytes, told: str) -> None:
    assert judged(payload) == told


def test_the_motion_service_must_have_released_the_motors() -> None:
    assert judged(right(), "ai") == "the motion service controls the motors: release its mode 'ai' first"


def test_no_corrupt_command_is_taken() -> None:
    rng = np.random.default_rng(0)
    rules, command = CommandRules(ROBOT, G1, 5), ROBOT.new_command_row()
    sent = right()
    on_wire = np.array([0, 1, *sorted(set(Message(G1.command)._on_wire.tolist()))])
    for _ in range(CORRUPTED):
        wrong = bytearray(sent)
        for place in rng.choice(on_wire, rng.integers(1, 6), replace=False):
            wrong[place] ^= 1 << int(rng.integers(8))
        assert not rules.take(bytes(wrong), command, "")
    assert (rules.accepted, rules.refused) == (0, CORRUPTED)
