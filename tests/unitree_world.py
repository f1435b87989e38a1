"""A stand-in of a G1 and its bridge, in threads, with a domain of their own."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.bridge import UnitreeBridge
from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.machine import UnitreeMachine
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.unitree_machine import UnitreeStandIn

PATIENCE_S = 120.0
PATIENCE_NS = 20_000_000_000
# Ports of domains above 101 are among those that the kernel gives to other connections.
_domains = itertools.count(2 + os.getpid() % 60)


class StandingIn:
    """A stand-in in a thread of its own."""

    def __init__(self, scenario: str = "stand", service: str = "") -> None:
        self.robot = RobotModel.load("g1")
        self.domain = next(_domains)
        world = load_scenario(scenario, self.robot, behaviour_schemas(self.robot))
        self.robot_dds = Dds(self.domain, "lo")
        self.stand_in = UnitreeStandIn(self.robot, world, self.robot_dds, lockstep=True, service=service)
        self.silent = False
        self._ends = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends:
            if not self.silent:
                self.stand_in.cycle()
            if self.silent or not self.stand_in.waits:
                time.sleep(0.002)

    def machine(self, *, release: bool = False, service: bool = True) -> UnitreeMachine:
        return UnitreeMachine(self.robot, Dds(self.domain, "lo"), release=release, service=service)

    def wait(self, condition: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until_s
            time.sleep(0.002)

    def end(self) -> None:
        self._ends = True
        self._thread.join(PATIENCE_S)
        self.stand_in.close()


class Bridged(StandingIn):
    """A stand-in with its bridge, each in a thread; simulated time waits for the controller."""

    def __init__(self, folder: Path, scenario: str = "stand", *, patience_ns: int = PATIENCE_NS) -> None:
        super().__init__(scenario)
        self.endpoint = f"ipc://{folder / 'robot'}"
        self.link: ZmqLink | None = None
        self.bridge = UnitreeBridge(
            self.robot,
            self.machine(),
            self.endpoint,
            answer_ns=PATIENCE_NS,
            silent_ns=patience_ns,
            sleep=lambda due_ns: None,
        )
        self.error: BaseException | None = None
        self._bridge_ends = False
        self._bridging = threading.Thread(target=self._bridge)
        self._bridging.start()

    def _bridge(self) -> None:
        try:
            while not self._bridge_ends:
                self.bridge.cycle()
            self.bridge.close()
        except BaseException as error:
            self.error = error
            self.bridge.abandon()

    def connected(self) -> ZmqLink:
        self.link = ZmqLink(self.robot, self.endpoint, lockstep=True)
        self.link.connect(PATIENCE_S)
        return self.link

    def commanded(self, ticks: int) -> ZmqLink:
        """A controller that holds the nominal posture for a while, and then says nothing more."""
        link = self.connected()
        link.arm(PATIENCE_S)
        sensors, command = self.robot.new_sensor_row(), self.robot.new_command_row()
        for tick in range(ticks):
            assert link.read(sensors), link.lost_because
            command.seq[0] = tick + 1
            command.q_des[:] = self.robot.q_nominal[self.robot.nq_base :]
            command.kp[:], command.kd[:] = 0.5 * self.robot.torque_limit_Nm, 0.02 * self.robot.torque_limit_Nm
            link.write(command)
        return link

    def end(self) -> None:
        if self.link is not None:
            self.link.abandon()
        # Nobody answers any more.
        self.bridge._served._answer_ns = 1_000_000
        self._bridge_ends = True
        self._bridging.join(PATIENCE_S)
        super().end()
