"""Bought arms behind the wire protocol, against stand-ins that hold their users to the makers' rules."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.franka import FrankaArm
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.maker_bridge import ArmBridge
from kilohertz.robots.wire.universal_robots import UniversalRobotsArm
from kilohertz.robots.wire.zmq_link import ZmqLink, stop_robot
from kilohertz.rt.faults.flooder import flooding
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = [pytest.mark.host, pytest.mark.quiet]

STAND_INS = Path(__file__).parent / "arms"
NAMES = ("stand_in_arm", "pylibfranka", "rtde_receive", "rtde_control")
MAKERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "franka": ("panda", FrankaArm),
    "ur": ("ur5", UniversalRobotsArm),
}
PATIENCE_NS = 2_000_000_000


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(STAND_INS))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("stand_in_arm")
    for name in NAMES:
        sys.modules.pop(name, None)


class Bridged:
    """A bridge in a thread of its own; its arm's time waits for the controller's answers."""

    def __init__(self, maker: str, endpoint: str, stand_ins: Any) -> None:
        robot, connect = MAKERS[maker]
        self.robot = RobotModel.load(robot)
        self.endpoint = endpoint
        self.bridge = ArmBridge(
            self.robot,
            connect("here"),
            endpoint,
            answer_ns=PATIENCE_NS,
            sleep=lambda due_ns: None,
        )
        self.arm = stand_ins.arms[-1]
        self.error: BaseException | None = None
        self.links: list[ZmqLink] = []
        self._ends = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._ends:
                self.bridge.cycle()
                if self.bridge.side.mode not in (wire.ARMED, wire.ACTIVE):
                    time.sleep(1e-4)
        except LinkLostError as error:
            self.error = error
            self.bridge.abandon()
        else:
            self.bridge.close()

    def end(self) -> None:
        for link in self.links:
            link.abandon()
        self._ends = True
        self._thread.join(60.0)
        assert not self._thread.is_alive()

    def link(self) -> ZmqLink:
        link = ZmqLink(self.robot, self.endpoint, lockstep=True)
        self.links.append(link)
        link.connect()
        return link

    def wait(self, condition: Callable[[], bool]) -> None:
        until_s = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < until_s
            time.sleep(0.001)


@pytest.fixture(params=sorted(MAKERS))
def bridged(request: pytest.FixtureRequest, tmp_path: Path, stand_ins: Any) -> Iterator[Bridged]:
    bridged = Bridged(request.param, f"ipc://{tmp_path / 'robot'}", stand_ins)
    yield bridged
    bridged.end()


def still(bridged: Bridged) -> bool:
    return not bridged.bridge.engaged


@pytest.mark.long
def test_an_arm_is_run_within_its_makers_rules_and_handed_back(bridged: Bridged) -> None:
    plan = RunPlan(bridged.robot.folder.name, "default-arm", 3.0, endpoint=bridged.endpoint, lockstep=True)
    start = bridged.arm.q.copy()
    result = Session(plan).run()
    assert result.exit_code == 0
    assert result.loop.ticks == 3000
    assert result.loop.overruns == 0
    link = result.summary["link"]
    assert link["commands_accepted"] == 3000
    assert link["commands_late"] == link["commands_refused"] == 0
    assert np.abs(bridged.arm.q - start).max() > 0.05
    bridged.wait(lambda: still(bridged))
    assert bridged.arm.violations == []


def test_an_arm_holds_its_posture_so_gravity_is_carried_once(bridged: Bridged) -> None:
    plan = RunPlan(bridged.robot.folder.name, "stand", 0.8, endpoint=bridged.endpoint, lockstep=True)
    start = bridged.arm.q.copy()
    assert Session(plan).run().exit_code == 0
    assert np.abs(bridged.arm.q - start).max() < 0.01
    assert bridged.arm.violations == []


def commanded(bridged: Bridged, ticks: int, tau: float = 0.0) -> ZmqLink:
    """A controller that commands for a while and then says nothing more."""
    robot = bridged.robot
    link = bridged.link()
    link.arm()
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    command.q_des[:] = robot.q_nominal
    command.kp[:], command.kd[:] = 50.0, 5.0
    command.tau_ff[:] = bridged.arm.gravity() + tau
    for _ in range(ticks):
        assert link.read(sensors)
        link.write(command)
    return link


def test_a_controller_that_dies_leaves_the_arm_braked_and_held(bridged: Bridged) -> None:
    bridged.bridge._served._answer_ns = 20_000_000
    link = commanded(bridged, 100, tau=3.0)
    assert np.abs(bridged.arm.v).max() > 0.02
    link.abandon()
    bridged.wait(lambda: bridged.bridge.side.mode == wire.DAMPING)
    bridged.wait(lambda: still(bridged))
    assert bridged.arm.violations == []
    # Damping is latched until somebody arms again.
    commanded(bridged, 10).close()
    bridged.wait(lambda: still(bridged))
    assert bridged.arm.violations == []


def test_a_flood_neither_disturbs_a_controller_nor_keeps_the_arm_from_being_braked(bridged: Bridged) -> None:
    bridged.bridge._served._answer_ns = 20_000_000
    with flooding("junk", bridged.endpoint.removeprefix("ipc://"), 2):
        link = commanded(bridged, 100, tau=3.0)
        link.abandon()
        bridged.wait(lambda: bridged.bridge.side.mode == wire.DAMPING)
        bridged.wait(lambda: still(bridged))
    assert bridged.bridge.side.counts.accepted >= 95
    assert bridged.arm.violations == []


def test_cycles_of_the_arm_that_the_bridge_missed_count_as_silence(bridged: Bridged) -> None:
    bridge, arm = bridged.bridge, bridged.bridge._arm
    bridge._read_at_s, arm.t_s = 5.0, 5.0 + 1e-3 * arm.periods
    assert bridge._missed() == 0
    arm.t_s += 1e-3 * (arm.periods + 7)
    assert bridge._missed() == 7
    arm.t_s -= 100.0
    assert bridge._missed() == 0


def test_a_torque_step_reaches_the_arm_as_a_ramp(bridged: Bridged) -> None:
    commanded(bridged, 50, tau=20.0).close()
    bridged.wait(lambda: still(bridged))
    assert bridged.arm.violations == []


def test_a_stop_brakes_the_arm_whoever_commands(bridged: Bridged) -> None:
    bridged.bridge._served._answer_ns = 20_000_000
    commanded(bridged, 20)
    stop_robot(bridged.endpoint, "test")
    bridged.wait(lambda: still(bridged))
    assert bridged.bridge.side.mode == wire.DAMPING
    assert bridged.arm.violations == []


def collide(bridged: Bridged) -> None:
    """The arm stops by itself, as after a collision."""
    if bridged.robot.name == "ur5":
        bridged.arm.protective_stop = True
    else:
        vendor = bridged.arm.vendor
        vendor.control_read = lambda control: vendor.stop_itself("cartesian_reflex")


def test_an_arm_that_stops_by_itself_takes_the_lease_away_and_must_be_recovered(bridged: Bridged) -> None:
    commanded(bridged, 20)
    collide(bridged)
    bridged.wait(lambda: bridged.bridge.side.mode == wire.DAMPING)
    assert ("reflex" in bridged.bridge.side.reason) or ("protective stop" in bridged.bridge.side.reason)
    with pytest.raises(ConfigError, match="self-test: the arm is in"):
        bridged.link().arm()
    assert bridged.arm.violations == []


def test_an_arm_that_does_not_answer_ends_the_bridge(bridged: Bridged) -> None:
    if bridged.robot.name == "ur5":
        bridged.arm.network = False
    else:
        bridged.arm.vendor.network = False
    bridged.wait(lambda: bridged.error is not None)
    assert isinstance(bridged.error, LinkLostError)
    assert "does not answer any more" in str(bridged.error)


@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_no_arm_at_the_address_is_a_lost_link(maker: str) -> None:
    with pytest.raises(LinkLostError, match="nobody: no"):
        MAKERS[maker][1]("nobody")


@pytest.mark.parametrize("maker", sorted(MAKERS))
def test_a_missing_library_is_named_with_its_extra(maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES[1:]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"pip install 'kilohertz\[{maker}\]'"):
        MAKERS[maker][1]("here")


def test_a_model_with_position_servos_is_refused(tmp_path: Path, stand_ins: Any) -> None:
    panda = RobotModel.load("panda")
    text = (panda.folder / "robot.yaml").read_text()
    servo = "servo: {stiffness_Nm_rad: 1000, damping_Nms_rad: 10}"
    (tmp_path / "robot.yaml").write_text(f"{text}\ndrives: position\n{servo}\n")
    with pytest.raises(ConfigError, match="has `drives: position`, but a bridge to"):
        ArmBridge(RobotModel.load(tmp_path), FrankaArm("here"), f"ipc://{tmp_path / 'arm'}")


def test_a_model_of_another_arm_is_refused(tmp_path: Path, stand_ins: Any) -> None:
    arm = FrankaArm("here")
    with pytest.raises(ConfigError, match="'ur5' is not an arm of 7 joints"):
        ArmBridge(RobotModel.load("ur5"), arm, f"ipc://{tmp_path / 'robot'}")


def test_an_old_arm_with_another_cycle_is_refused(stand_ins: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins.StandInArm, "slow", True, raising=False)
    with pytest.raises(ConfigError, match="a cycle of 8 ms"):
        UniversalRobotsArm("here")


USED = {
    "pylibfranka": {
        "": "Robot Torques RealtimeConfig RobotMode NetworkException ControlException",
        "Robot": "read_once start_torque_control",
        "ActiveControlBase": "readOnce writeOnce",
        "RobotState": "q dq tau_J time robot_mode",
        "Torques": "motion_finished tau_J",
        "RobotMode": "Idle Move Reflex",
        "RealtimeConfig": "kEnforce kIgnore",
        "Duration": "to_sec",
    },
    "rtde_receive": {
        "RTDEReceiveInterface": "isConnected getActualQ getActualQd getTimestamp getRobotMode "
        "isProtectiveStopped isEmergencyStopped disconnect",
    },
    "rtde_control": {
        "RTDEControlInterface": "getStepTime initPeriod waitPeriod isProgramRunning reuploadScript "
        "directTorque stopScript disconnect",
    },
}


@pytest.mark.parametrize("name", sorted(USED))
def test_the_makers_libraries_have_what_is_used_of_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(STAND_INS)])
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    for part, names in USED[name].items():
        held = getattr(library, part) if part else library
        assert [wanted for wanted in names.split() if not hasattr(held, wanted)] == []
