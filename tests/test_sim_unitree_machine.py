"""The stand-in: it hangs until it is commanded, follows what its rules accept, and damps without commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

pytest.importorskip("cyclonedds")

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.families import COMMAND_TOPIC, G1, STATE_TOPIC
from kilohertz.robots.unitree.low_command import LowCommand
from kilohertz.robots.unitree.low_state import LowState
from kilohertz.robots.unitree.messages import Message
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.unitree_machine import CYCLE_PERIODS, HANG_UP_CYCLES, MODE_MACHINE, UnitreeStandIn

pytestmark = pytest.mark.host
DOMAIN = 63
ROBOT = RobotModel.load("g1")
SLOTS = G1.slots(ROBOT.joint_names)
WAIT_NS = 20_000_000_000


class Pair:
    """A stand-in and a program that commands it, in one thread: a message has arrived when it was written."""

    def __init__(self) -> None:
        world = load_scenario("stand", ROBOT, behaviour_schemas(ROBOT))
        self.stand_in = UnitreeStandIn(ROBOT, world, Dds(DOMAIN, "lo"), service="")
        dds = Dds(DOMAIN, "lo")
        self.dds = dds
        self.reader, self.writer = dds.reader(STATE_TOPIC, G1.state), dds.writer(COMMAND_TOPIC, G1.command)
        while not (self.reader.writers and self.writer.readers):
            self.reader.wait(1_000_000)
        self.state, self.command = LowState(G1, SLOTS), LowCommand(G1, SLOTS, 1.0)

    def cycle(self, payload: bytes | None = None) -> None:
        if payload is not None:
            self.writer.write(payload)
            assert self.stand_in._commands.wait(WAIT_NS)
        self.stand_in.cycle()
        assert self.reader.wait(WAIT_NS)
        assert self.state.take(self.reader.take()[-1])

    def posture(self, share: float = 1.0) -> bytes:
        kp = share * 0.5 * ROBOT.torque_limit_Nm
        q = ROBOT.q_nominal[ROBOT.nq_base :]
        return self.command.pack(MODE_MACHINE, q, 0.0 * q, kp, 0.02 * ROBOT.torque_limit_Nm, 0.0 * q)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.dds.close()
    made.stand_in.close()


def test_it_hangs_until_a_command_moves_it(pair: Pair) -> None:
    for _ in range(5):
        pair.cycle()
    pair.cycle(pair.posture(0.0))
    assert pair.stand_in.hanging
    assert pair.state.t_s == pytest.approx(5 * CYCLE_PERIODS * 1e-3)
    assert pair.stand_in.simulated.t_s == 0.0
    pair.cycle(pair.posture())
    assert not pair.stand_in.hanging
    assert pair.stand_in.simulated.t_s == pytest.approx(0.002)


def test_its_state_is_that_of_the_simulated_robot(pair: Pair) -> None:
    for _ in range(10):
        pair.cycle(pair.posture())
    sensors = ROBOT.new_sensor_row()
    pair.stand_in.simulated.read(sensors)
    np.testing.assert_allclose(pair.state.q, sensors.q, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(pair.state.tau, sensors.tau, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(pair.state.gyro, sensors.gyro, rtol=1e-6, atol=1e-7)
    assert pair.state.quaternion[0] == pytest.approx(1.0, abs=0.05)
    assert pair.state.mode_machine == MODE_MACHINE


def test_without_commands_it_damps_and_says_so(pair: Pair) -> None:
    pair.cycle(pair.posture())
    for _ in range(15):
        pair.cycle()
    assert pair.stand_in.lost_commands
    assert ("drive-damping", "no new command for 20 ms: the drives damp on their own") in pair.stand_in.events
    pair.cycle(pair.posture())
    assert pair.stand_in.lost_commands


def altered(change: Callable[[Message], None]) -> bytes:
    message = Message(G1.command)
    message.unpack(LowCommand(G1, SLOTS, 1.0).pack(MODE_MACHINE, *np.ones((5, ROBOT.na)) * 0.1))
    message.fields["crc"] = checksum(message.memory)
    change(message)
    return message.pack()


def test_what_it_refuses_moves_nothing_and_is_told_once(pair: Pair) -> None:
    def no_checksum(message: Message) -> None:
        message.fields["crc"] = 0

    for _ in range(3):
        pair.cycle(altered(no_checksum))
    assert pair.stand_in.hanging
    assert pair.stand_in.events == [("refused", "the command has no checksum: crc is 0")]
    assert pair.stand_in.rules.refused == 3


def test_after_a_while_of_damping_it_hangs_again(pair: Pair) -> None:
    pair.cycle(pair.posture())
    for _ in range(HANG_UP_CYCLES):
        pair.cycle(pair.posture(0.0))
    assert pair.stand_in.hanging
    assert pair.stand_in.simulated.t_s == 0.0
    assert pair.stand_in.events[-1][0] == "hung up"
