"""Low commands: every value at the motor of its joint, with mode and checksum."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.families import FAMILIES, G1, H1, Family
from kilohertz.robots.unitree.low_command import LowCommand
from kilohertz.robots.unitree.messages import Message


def sent(family: Family, joints: tuple[str, ...], **rows: np.ndarray) -> Message:
    slots = family.slots(joints)
    zeros = {name: np.zeros(len(joints)) for name in ("q", "v", "kp", "kd", "tau")}
    message = Message(family.command)
    assert message.unpack(LowCommand(family, slots, 1.5).pack(5, **(zeros | rows)))
    return message


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_values_arrive_at_the_motors_of_their_joints(family: Family) -> None:
    joints = tuple(reversed([joint for joint in family.motors if joint]))
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=len(joints)) for name in ("q", "v", "kp", "kd", "tau")}
    message = sent(family, joints, **rows)
    motors = message.fields["motor_cmd"]
    for field, name in (("q", "q"), ("dq", "v"), ("kp", "kp"), ("kd", "kd"), ("tau", "tau")):
        for joint, value in zip(joints, rows[name], strict=True):
            assert motors[field][family.motors.index(joint)] == np.float32(value)
    assert message.fields["crc"] == checksum(message.memory)


def test_a_g1_is_commanded_on_the_side_of_its_joints_in_the_mode_of_its_state() -> None:
    fields = sent(G1, G1.motors).fields
    assert (fields["mode_pr"], fields["mode_machine"]) == (0, 5)
    assert fields["motor_cmd"]["mode"].tolist() == [1] * 29 + [0] * 6


def test_motors_without_a_joint_in_the_model_only_damp() -> None:
    joints = tuple(joint for joint in G1.motors if not joint.startswith("waist"))
    motors = sent(G1, joints, kp=np.ones(len(joints)), kd=np.ones(len(joints))).fields["motor_cmd"]
    assert motors["kp"][12:15].tolist() == [0.0] * 3
    assert motors["kd"][12:15].tolist() == [1.5] * 3
    assert motors["mode"][12:15].tolist() == [1] * 3


def test_machines_of_the_older_package_are_told_that_the_command_is_low_level() -> None:
    fields = sent(H1, H1.motors[:9]).fields
    assert fields["head"].tolist() == [0xFE, 0xEF]
    assert fields["level_flag"] == 0xFF
    assert fields["motor_cmd"]["mode"][:3].tolist() == [0x0A] * 3
