"""A stand-in for a Unitree robot: a simulated robot that speaks the maker's DDS messages and keeps its rules.

The robot hangs, and its simulated time stands still, until it accepts a command with a torque or a stiffness.
After 2 s of commands that only damp it hangs again, at the start of its scenario.
"""

from __future__ import annotations

import json

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.unitree.checksum import checksum
from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.families import BATTERY_TOPIC, COMMAND_TOPIC, STATE_TOPIC, family_of
from kilohertz.robots.unitree.low_command import SERIES
from kilohertz.robots.unitree.messages import HG_BATTERY, Message
from kilohertz.robots.unitree.motion_service import CHECK, RELEASE, REQUESTS, RESPONSES, api_types, part
from kilohertz.robots.unitree.remote import BYTES
from kilohertz.robots.wire.maker_arm import vendor_module
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.unitree_rules import CommandRules

MODE_MACHINE = 5
"""`mode_machine` of a G1 with 29 joints."""
CYCLE_PERIODS = 2
HANG_UP_CYCLES = 1000
SLOW_CYCLES = 50
"""Cycles from one message of the battery, or look at the requests to the motion service, to the next."""
PATIENCE_NS = 5_000_000_000
ROOM_C, FULL_PERCENT = 35.0, 90
SERVICE = "ai"
"""Mode of the motion service that controls the robot until it is released."""


class UnitreeStandIn:
    """A simulated robot in a DDS domain; call `cycle` every 2 ms, or in lockstep without a pause.

    Args:
        robot: model of the robot.
        scenario: ground, plant, sensors and events, as for `SimulatedRobot`.
        dds: this program's part in the domain.
        seed: random seed of the run, as for `SimulatedRobot`.
        lockstep: whether the simulated time waits for each command.
        service: mode of the motion service at the start; "" for released.

    Attributes:
        simulated: the simulated robot; a new one after the robot was hung up again.
        rules: judges commands, and counts them.
        remote: bytes of the remote control.
        casing_C, winding_C: (n,) temperatures of the motors, by joint [C].
        percent: charge of the battery [%].
        service: mode of the motion service; "" once it is released.
        hanging: whether the robot hangs, so that its time stands still.
        events: kind and sentence of what happened, oldest first.
    """

    def __init__(
        self,
        robot: RobotModel,
        scenario: Scenario,
        dds: Dds,
        *,
        seed: int = 0,
        lockstep: bool = False,
        service: str = SERVICE,
    ) -> None:
        self.family = family_of(robot.joint_names)
        self.rules = CommandRules(robot, self.family, MODE_MACHINE)
        self.remote = bytes(BYTES)
        self.casing_C, self.winding_C = np.full((2, robot.na), ROOM_C)
        self.percent = FULL_PERCENT
        self.service = service
        self.events: list[tuple[str, str]] = []
        self._robot, self._scenario, self._seed, self._lockstep = robot, scenario, seed, lockstep
        self._slots = np.array(self.family.slots(robot.joint_names), dtype=np.intp)
        self._R_BI = _imu_rotation(robot)
        self._dds = dds
        self._states = dds.writer(STATE_TOPIC, self.family.state)
        self._commands = dds.reader(COMMAND_TOPIC, self.family.command)
        self._batteries = dds.writer(BATTERY_TOPIC, HG_BATTERY) if self.family.hg else None
        self._state, self._battery = Message(self.family.state), Message(HG_BATTERY)
        request, self._response = api_types()
        publisher, subscriber = (
            vendor_module("cyclonedds.pub", "unitree"),
            vendor_module("cyclonedds.sub", "unitree"),
        )
        self._answers = publisher.DataWriter(*dds.plain(RESPONSES, self._response))
        self._requests = subscriber.DataReader(*dds.plain(REQUESTS, request))
        self._sensors, self._command = robot.new_sensor_row(), robot.new_command_row()
        self._cycles = 0
        self._hang_up()

    def _hang_up(self) -> None:
        self.simulated = SimulatedRobot(self._robot, self._scenario, self._seed)
        self.hanging = True
        self._flowing = False
        self._damping_cycles = self._told = 0

    @property
    def lost_commands(self) -> bool:
        """Whether the robot damps because commands stopped, or left what its drives accept."""
        return self.simulated.drives.latched

    def cycle(self) -> None:
        """Runs 2 ms: takes in the newest command, advances the simulation, and sends the state."""
        self._cycles += 1
        if self.waits:
            self._flowing = self._commands.wait(PATIENCE_NS)
        for payload in self._commands.take():
            refused = self.rules.refused
            if self.rules.take(payload, self._command, self.service):
                self._follow()
            elif self.rules.refused != refused:
                self._record("refused", self.rules.refusal)
        if not self.hanging:
            for _ in range(CYCLE_PERIODS):
                self.simulated.advance()
            for event in self.simulated.events[self._told :]:
                self._record(event["kind"], event["text"])
            self._told = len(self.simulated.events)
            if self.lost_commands:
                self._flowing = False
        if self._cycles % SLOW_CYCLES == 0:
            self._slow()
        self._tell()

    def _follow(self) -> None:
        """Applies the command that was accepted."""
        command = self._command
        only_damps = not (command.kp.any() or command.tau_ff.any())
        self._damping_cycles = self._damping_cycles + 1 if only_damps else 0
        if only_damps:
            if not self.hanging and self._damping_cycles >= HANG_UP_CYCLES:
                self._record("hung up", "the robot only damped for 2 s, and hangs again")
                self._hang_up()
            if self.hanging:
                return
        self.hanging = False
        self._flowing = True
        if not self.lost_commands:
            self.simulated.drives.offer(command)

    def _record(self, kind: str, text: str) -> None:
        """Adds an event; one that repeats the last is not added again."""
        if not self.events or self.events[-1] != (kind, text):
            self.events.append((kind, text))

    def _tell(self) -> None:
        """Sends the state, with its checksum."""
        sensors, fields = self._sensors, self._state.fields
        self.simulated.read(sensors)
        motors, imu, slots = fields["motor_state"], fields["imu_state"], self._slots
        motors["mode"][slots] = [self.family.mode(slot) for slot in slots]
        motors["q"][slots], motors["dq"][slots] = sensors.q, sensors.v
        motors["tau_est"][slots] = np.nan_to_num(sensors.tau)
        if self.family.hg:
            temperatures = motors["temperature"]
            temperatures[slots, 0], temperatures[slots, 1] = self.casing_C, self.winding_C
            fields["mode_pr"], fields["mode_machine"] = SERIES, MODE_MACHINE
        else:
            motors["temperature"][slots] = self.casing_C
            fields["bms_state"]["soc"] = self.percent
        imu["gyroscope"], imu["accelerometer"] = sensors.gyro, sensors.accel
        imu["quaternion"] = self._quaternion()
        fields["tick"] = (self._cycles * CYCLE_PERIODS) % 2**32
        fields["wireless_remote"] = np.frombuffer(self.remote, dtype=np.uint8)
        fields["crc"] = checksum(self._state.memory)
        self._states.write(self._state.pack())

    def _quaternion(self) -> Vector:
        """Returns the (4,) orientation of the IMU in the world (w, x, y, z)."""
        if not self._robot.floating:
            return np.array([1.0, 0.0, 0.0, 0.0])
        R_WB = pin.Quaternion(self.simulated.truth.q[3:7]).matrix()
        x, y, z, w = pin.Quaternion(R_WB @ self._R_BI).coeffs()
        return np.array([w, x, y, z])

    def _slow(self) -> None:
        """Sends the battery's state, and answers requests to the motion service."""
        if self._batteries is not None:
            self._battery.fields["soc"] = self.percent
            self._batteries.write(self._battery.pack())
        for request in self._requests.take(1):
            header = getattr(request, "header", None)
            if header is None:
                continue
            api = header.identity.api_id
            if api == RELEASE:
                self._record("released", f"the motion service has released its mode '{self.service}'")
                self.service = ""
            known = api in (CHECK, RELEASE)
            data = json.dumps({"form": "0", "name": self.service}) if api == CHECK else ""
            answer = part(self._response, "header")
            status = part(answer, "status")(code=0 if known else 3203)
            self._answers.write(
                self._response(header=answer(identity=header.identity, status=status), data=data, binary=[])
            )

    @property
    def waits(self) -> bool:
        """Whether the next `cycle` waits for a command, so that nothing needs to pace it."""
        return self._lockstep and self._flowing

    def close(self) -> None:
        """Leaves the domain, as if the robot had been switched off."""
        self._dds.close()


def _imu_rotation(robot: RobotModel) -> Vector:
    """Returns the (3, 3) rotation R_BI from the IMU's axes to the base's; the identity for a fixed base."""
    if not robot.floating:
        return np.eye(3)
    rotation: Vector = np.array(robot.pin_model.frames[robot.imu_frame_id].placement.rotation)
    return rotation
