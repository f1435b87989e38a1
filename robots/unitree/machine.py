"""A Unitree robot in a DDS domain: its states, its commands, and everything that forbids to command it."""

from __future__ import annotations

import time

import numpy as np

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_NS, PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.unitree import remote
from kilohertz.robots.unitree.dds import Dds
from kilohertz.robots.unitree.families import BATTERY_TOPIC, COMMAND_TOPIC, STATE_TOPIC, family_of
from kilohertz.robots.unitree.low_command import SERIES, LowCommand
from kilohertz.robots.unitree.low_state import LowState
from kilohertz.robots.unitree.messages import HG_BATTERY, Message
from kilohertz.robots.unitree.motion_service import CHECK, MotionService
from kilohertz.robots.unitree.watch import Watch
from kilohertz.robots.wire.link import LinkLostError

FIRST_STATE_S = 5.0
STATES_TO_TIME = 41
LONGEST_CYCLE_PERIODS = 5
SERVICE_S = 3.0
RELEASE_S = 10.0
LOOK_PERIODS = 100
ASK_PERIODS = 1000
"""Periods from one look at temperatures and battery, or question to the motion service, to the next."""
IDLE_KD_NMS = 1.0
LARGEST_TILT_DIFFERENCE_RAD = 0.2
"""Largest angle between the upward directions of the IMU's quaternion and accelerometer at rest [rad]."""
REMEDY = "hang the robot and press L2+R2 for its debug mode, or start the bridge with --release"


class UnitreeMachine:
    """Reads and commands one robot; `read`, then `write`, in each cycle.

    Args:
        robot: model of the robot, whose joints are found in the machine's motors by name.
        dds: this program's part in the robot's domain.
        release: whether to release the robot from its motion service; it is limp afterwards.
        service: whether the robot has a motion service; a simulator may have none.

    Attributes:
        family: the machine.
        state: its newest state.
        periods: control periods of 1 ms from one state to the next.
        notes: what people should know about the machine, in sentences.

    Raises:
        ConfigError: a joint has no motor, the IMU is another one, or states arrive at an unusable rate.
        LinkLostError: the robot sends no states, or its motion service does not answer.
    """

    def __init__(self, robot: RobotModel, dds: Dds, *, release: bool = False, service: bool = True) -> None:
        self.family = family_of(robot.joint_names)
        slots = self.family.slots(robot.joint_names)
        _check_imu(robot)
        self.state = LowState(self.family, slots)
        self.notes: list[str] = []
        self._floating = robot.floating
        self._dds = dds
        self._command = LowCommand(self.family, slots, IDLE_KD_NMS)
        self._states = dds.reader(STATE_TOPIC, self.family.state)
        self._commands = dds.writer(COMMAND_TOPIC, self.family.command)
        self._foreign = dds.reader(COMMAND_TOPIC, self.family.command, of_others=True)
        self._battery_reader = dds.reader(BATTERY_TOPIC, HG_BATTERY) if self.family.hg else None
        self._battery = Message(HG_BATTERY)
        self._watch = Watch(self.family, robot.joint_names, slots)
        self._others = self._refused = 0
        self._cycles = 0
        self._machine_mode: int | None = None
        idle = [joint for joint in self.family.motors if joint and joint not in robot.joint_names]
        if idle:
            self.notes.append(f"motors without a joint in '{robot.name}' only damp: {', '.join(idle)}")
        self._service: MotionService | None = None
        self.periods = self._time_states()
        if service:
            self._service = self._met_service(release)
        self._look()
        if not remote.present(self.state.remote):
            self.notes.append("no remote control is connected: it cannot stop the robot")
        if self.family.hg and np.isnan(self._watch.percent):
            self.notes.append("the robot has not told its battery's charge yet")

    @property
    def name(self) -> str:
        """Name of the machine, for people."""
        return self.family.name

    def _time_states(self) -> int:
        """Waits for states and returns the periods between two of them, by the robot's clock."""
        times: list[float] = []
        until_s = time.monotonic() + FIRST_STATE_S
        while len(times) < STATES_TO_TIME:
            if time.monotonic() > until_s:
                raise LinkLostError(self._no_states(len(times)))
            if self.read(50 * PERIOD_NS):
                times.append(self.state.t_s)
        periods = float(np.median(np.diff(times))) / PERIOD_S
        if not 0.5 < periods < LONGEST_CYCLE_PERIODS + 0.5:
            raise ConfigError(
                f"the robot sends a state every {periods:g} ms; 1 to {LONGEST_CYCLE_PERIODS} ms are usable"
            )
        return round(periods)

    def _no_states(self, seen: int) -> str:
        where = f"domain {self._dds.domain} on the network '{self._dds.network}'"
        if self.state.refused:
            return f"{where}: the robot's states are refused: {self.state.refusal}"
        if seen:
            return f"{where}: only {seen} states of a {self.name} in {FIRST_STATE_S:g} s"
        return f"{where}: no {self.name} sends states: check the network interface, the domain and the cable"

    def _met_service(self, release: bool) -> MotionService:
        service = MotionService(self._dds)
        if not service.wait(CHECK, SERVICE_S):
            raise LinkLostError(
                "the robot's motion service does not answer, and may control the robot; for a simulator that "
                "has none use --no-motion-service"
            )
        if release and service.mode and not service.release(RELEASE_S):
            raise LinkLostError(
                f"the motion service does not release the robot within {RELEASE_S:g} s: mode '{service.mode}'"
            )
        return service

    def read(self, timeout_ns: int) -> bool:
        """Waits for the next state; returns False if none is accepted within the time. Hot path.

        If several states have been received, the newest counts.

        Args:
            timeout_ns: time limit [ns].
        """
        until_ns = time.monotonic_ns() + timeout_ns
        while True:
            remaining_ns = until_ns - time.monotonic_ns()
            if remaining_ns <= 0 or not self._states.wait(remaining_ns):
                return False
            accepted = False
            for payload in self._states.take():
                accepted = self.state.take(payload) or accepted
            if accepted:
                self._count()
                return True

    def _count(self) -> None:
        """Looks at what changes slowly, in one cycle of many each."""
        self._cycles += 1
        self._refused = self.state.refused
        if self._machine_mode is None:
            self._machine_mode = self.state.mode_machine
        self._others = len(self._foreign.take())
        if self._cycles % LOOK_PERIODS == 0:
            self._look()
        if self._service is not None:
            phase = self._cycles % ASK_PERIODS
            if phase == 0:
                self._service.ask()
            elif phase == ASK_PERIODS // 2:
                self._service.poll()

    def _look(self) -> None:
        percent = self.state.battery_percent()
        if self._battery_reader is not None:
            for payload in self._battery_reader.take():
                if self._battery.unpack(payload):
                    percent = float(self._battery.fields["soc"])
        self._watch.look(self.state.motor_fields(), percent)

    def write(self, q: Vector, v: Vector, kp: Vector, kd: Vector, tau: Vector) -> None:
        """Sends one command; see `LowCommand.pack`. Hot path."""
        self._commands.write(self._command.pack(self.state.mode_machine, q, v, kp, kd, tau))

    def emergency(self) -> str:
        """Returns why the robot must damp at once, in one sentence; "" if nothing requires it. Hot path."""
        pressed = remote.emergency(self.state.remote)
        if pressed:
            return f"{pressed} was pressed on the remote control"
        if self._others:
            return f"another program sends commands on {COMMAND_TOPIC}"
        if self._service is not None and self._service.mode:
            return f"the robot's motion service has taken over: mode '{self._service.mode}'"
        if self.state.mode_machine != self._machine_mode:
            return f"mode_machine has changed from {self._machine_mode} to {self.state.mode_machine}"
        return self._watch.stop()

    def problem(self) -> str | None:
        """Returns why the robot must not be armed, in one sentence; None if it may be."""
        if self._service is not None and self._service.mode:
            return f"the robot's motion service controls it: mode '{self._service.mode}'; {REMEDY}"
        if self.family.hg and self.state.mode_pr != SERIES:
            return (
                f"mode_pr is {self.state.mode_pr}: the robot tells motors A and B of its parallel joints, "
                "not pitch and roll; end the program that has set it"
            )
        self._look()
        return self.emergency() or self._watch.problem() or self._imu_problem() or None

    def _imu_problem(self) -> str:
        """Compares the upward directions of the quaternion (w, x, y, z) and of the accelerometer."""
        if not self._floating:
            return ""
        w, x, y, z = self.state.quaternion
        up = np.array([2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)])
        norms = float(np.linalg.norm(self.state.accel) * np.linalg.norm(up))
        if abs(float(np.linalg.norm(self.state.quaternion)) - 1.0) > 0.01 or norms <= 0.0:
            return "the quaternion of the IMU has not the length 1"
        angle = float(np.arccos(np.clip(self.state.accel @ up / norms, -1.0, 1.0)))
        if angle > LARGEST_TILT_DIFFERENCE_RAD:
            return (
                f"the IMU's quaternion and accelerometer disagree by {np.degrees(angle):.0f} degrees about "
                "the vertical: wait until the robot is at rest, or calibrate its IMU"
            )
        return ""

    def silence(self) -> str:
        """Returns the likely reason why no state has been accepted, as the end of a sentence."""
        if self._refused != self.state.refused:
            return self.state.refusal
        return "nothing is received on " + STATE_TOPIC

    def news(self) -> list[str]:
        """Returns sentences that people should be told, each of them once."""
        return self._watch.news()

    def close(self) -> None:
        """Leaves the domain; the robot keeps its last command."""
        self._dds.close()


def _check_imu(robot: RobotModel) -> None:
    if robot.floating and robot.pin_model.frames[robot.imu_frame_id].parentJoint != 1:
        raise ConfigError(
            "the low state carries the IMU of the pelvis: in robot.yaml, imu.link must be fixed to the base"
        )
