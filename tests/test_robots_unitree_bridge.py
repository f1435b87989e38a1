"""A G1 behind its bridge keeps the promises of the wire protocol: arming, watchdog, silence, envelope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")

from unitree_world import Bridged

from kilohertz.robots.unitree.remote import BYTES, buttons
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.zmq_link import stop_robot

pytestmark = [pytest.mark.host, pytest.mark.quiet]


@pytest.fixture
def bridged(tmp_path: Path) -> Iterator[Bridged]:
    made = Bridged(tmp_path)
    yield made
    made.end()


@pytest.mark.long
def test_nothing_is_sent_before_a_lease_and_every_state_is_answered_after_it(bridged: Bridged) -> None:
    bridged.connected()
    assert not bridged.bridge.commanding
    assert bridged.stand_in.rules.accepted == 0
    bridged.link.abandon()
    bridged.commanded(40)
    bridged.wait(lambda: bridged.stand_in.rules.accepted >= 20)
    assert bridged.stand_in.rules.refused == 0
    assert not bridged.stand_in.hanging


def test_a_controller_that_falls_silent_is_replaced_by_damping(bridged: Bridged) -> None:
    bridged.commanded(20)
    bridged.bridge._served._answer_ns = 20_000_000
    bridged.link.abandon()
    bridged.wait(lambda: bridged.bridge.side.mode == wire.DAMPING)
    assert bridged.bridge.side.reason == "no command was accepted for 20 periods"
    taken = bridged.stand_in.rules.accepted
    bridged.wait(lambda: bridged.stand_in.rules.accepted > taken + 10)
    assert not bridged.stand_in.simulated.drives.commanded.kp.any()


def test_anyone_may_stop_it(bridged: Bridged) -> None:
    bridged.commanded(10)
    bridged.bridge._served._answer_ns = 20_000_000
    stop_robot(bridged.endpoint, "a test", timeout_s=60.0)
    assert bridged.bridge.side.mode == wire.DAMPING


def test_the_emergency_of_the_remote_damps_and_is_told(bridged: Bridged) -> None:
    link = bridged.commanded(10)
    bridged.stand_in.remote = bytes(2) + buttons("L1", "A").to_bytes(2, "little") + bytes(BYTES - 4)
    sensors, command = bridged.robot.new_sensor_row(), bridged.robot.new_command_row()
    while link.read(sensors):
        link.write(command)
    assert bridged.bridge.side.reason == "L1+A was pressed on the remote control"
    assert "L1+A was pressed on the remote control" in [event["text"] for event in link.events]
    assert bridged.bridge._machine.problem() == "L1+A was pressed on the remote control"


def test_a_robot_that_falls_silent_ends_the_bridge(tmp_path: Path) -> None:
    bridged = Bridged(tmp_path, patience_ns=20_000_000)
    try:
        bridged.connected()
        bridged.silent = True
        bridged.wait(lambda: bridged.error is not None)
        assert isinstance(bridged.error, LinkLostError)
        assert "nothing is received on rt/lowstate" in str(bridged.error)
    finally:
        bridged.end()
