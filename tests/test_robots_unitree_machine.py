"""A robot in a DDS domain: when it may be armed, and what makes it damp, each with its sentence."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cyclonedds")

from unitree_world import StandingIn

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.machine import UnitreeMachine, _check_imu
from kilohertz.robots.unitree.remote import BYTES, buttons
from kilohertz.robots.wire.link import LinkLostError

pytestmark = pytest.mark.host
PATIENCE_NS = 20_000_000_000


@pytest.fixture(scope="module")
def world() -> Iterator[StandingIn]:
    made = StandingIn(service="ai")
    yield made
    made.end()


@pytest.fixture
def machine(world: StandingIn) -> UnitreeMachine:
    return world.machine(release=True)


def read(machine: UnitreeMachine, states: int = 200) -> None:
    for _ in range(states):
        assert machine.read(PATIENCE_NS)


def test_a_robot_under_its_motion_service_is_not_armed_until_it_is_released(world: StandingIn) -> None:
    world.stand_in.service = "ai"
    held = world.machine()
    assert "motion service controls it: mode 'ai'; hang the robot and press L2+R2" in str(held.problem())
    released = world.machine(release=True)
    assert released.problem() is None
    assert world.stand_in.service == ""


def test_the_states_are_timed_and_read_in_the_models_order(
    machine: UnitreeMachine, world: StandingIn
) -> None:
    assert machine.periods == 2
    q = world.stand_in.simulated.truth.q[world.robot.nq_base :]
    np.testing.assert_allclose(machine.state.q, q, atol=2e-3)
    assert any("no remote control" in note for note in machine.notes)
    assert machine.state.accel[2] == pytest.approx(9.81, abs=0.5)


@pytest.mark.parametrize("names", [("L1", "A"), ("L2", "B")], ids="+".join)
def test_the_remote_controls_emergency_stops(
    machine: UnitreeMachine, world: StandingIn, names: tuple[str, ...]
) -> None:
    assert machine.emergency() == ""
    world.stand_in.remote = bytes(2) + buttons(*names).to_bytes(2, "little") + bytes(BYTES - 4)
    read(machine)
    world.stand_in.remote = bytes(BYTES)
    assert machine.emergency() == f"{'+'.join(names)} was pressed on the remote control"
    assert machine.problem() == machine.emergency()


def test_heat_and_an_empty_battery_stop(machine: UnitreeMachine, world: StandingIn) -> None:
    world.stand_in.casing_C[3] = 90.0
    read(machine)
    world.stand_in.casing_C[3] = 35.0
    assert machine.emergency() == "the casing of the motor of left_knee_joint is at 90 C; its limit is 85 C"
    assert "left_knee_joint is at 90 C" in machine.news()[0]
    world.stand_in.percent = 5
    read(machine, 400)
    world.stand_in.percent = 90
    assert machine.emergency() == "the battery has 5 %, less than 10 %"
    read(machine, 400)
    assert machine.problem() is None


def test_another_program_that_commands_stops(machine: UnitreeMachine, world: StandingIn) -> None:
    other = world.machine()
    until = 2000
    while not machine.emergency() and until:
        zero = np.zeros(world.robot.na)
        other.write(zero, zero, zero, zero, zero)
        read(machine, 1)
        until -= 1
    assert machine.emergency() == "another program sends commands on rt/lowcmd"


def test_a_mode_that_changes_stops_and_motors_instead_of_joints_are_not_armed(
    machine: UnitreeMachine,
) -> None:
    machine.state.mode_machine = 4
    assert machine.emergency() == "mode_machine has changed from 5 to 4"
    machine.state.mode_machine = 5
    machine.state.mode_pr = 1
    assert str(machine.problem()).startswith("mode_pr is 1: the robot tells motors A and B")


def test_an_imu_whose_quaternion_has_another_vertical_is_not_armed(machine: UnitreeMachine) -> None:
    machine.state.quaternion[:] = np.cos(0.25), np.sin(0.25), 0.0, 0.0
    assert "disagree by 29 degrees about the vertical" in str(machine.problem())
    machine.state.quaternion[:] = 0.1
    assert machine.problem() == "the quaternion of the IMU has not the length 1"


def test_a_robot_that_is_not_there_is_told(world: StandingIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kilohertz.robots.unitree.machine.FIRST_STATE_S", 0.2)
    with pytest.raises(LinkLostError, match="domain 99 on the network 'lo': no G1 sends states"):
        UnitreeMachine(world.robot, Dds(99, "lo"))


def test_a_robot_of_another_kind_is_refused(world: StandingIn) -> None:
    with pytest.raises(ConfigError, match="has no motor for the joint"):
        UnitreeMachine(RobotModel.load("ur5"), Dds(world.domain, "lo"))


def test_an_imu_in_the_torso_is_refused() -> None:
    robot = RobotModel.load("g1")
    torso = robot.pin_model.getFrameId("torso_link")
    moved: Any = SimpleNamespace(floating=True, pin_model=robot.pin_model, imu_frame_id=torso)
    with pytest.raises(ConfigError, match=r"imu\.link must be fixed to the base"):
        _check_imu(moved)
