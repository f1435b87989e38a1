"""A simulated robot with the interface of a real one; it advances by one control period per command."""

from __future__ import annotations

import math
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.period import period_steps
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow, OutsideRow, SensorRow
from kilohertz.sim.actuators import DriveState
from kilohertz.sim.gantry import Gantry
from kilohertz.sim.outside import OutsideSensor
from kilohertz.sim.people import People
from kilohertz.sim.push_mailbox import PushMailbox, pushable
from kilohertz.sim.readout import Readout
from kilohertz.sim.scenario import attachments
from kilohertz.sim.scenario_schema import Push, Scenario
from kilohertz.sim.sensors import SensorNoise
from kilohertz.sim.servos import drives_of
from kilohertz.sim.shared_load import SharedLoads
from kilohertz.sim.start import place
from kilohertz.sim.truth import Truth
from kilohertz.sim.world import STEP_S, World, build_world
from kilohertz.sim.wrist import WristSensors

Vector = NDArray[np.float64]

# A robot has fallen if its base is tilted by more than this angle, if the height of its centre of mass above
# the lowest sole is below this fraction of the height at the start, or if its trunk touches the ground. The
# height of the base is not used, because in some models the base link lies low, even between the feet.
FALLEN_TILT_COS = math.cos(math.radians(60.0))
FALLEN_HEIGHT = 0.5

PULL_TICKS = 100
"""Ticks for which a pull is held without a new one."""
DRIVE_DAMPING = "drive-damping"
"""Kind of the event that the drives damp on their own."""


def _ignore_warning(text: str) -> None:
    """Suppresses MuJoCo's log file in the working folder; a divergence is recorded as an event instead."""


mujoco.set_mju_user_warning(_ignore_warning)


class SimulatedRobot:
    """A robot in MuJoCo that is read and commanded as a RobotLink, in lockstep.

    `write` accepts a command and advances the simulation by exactly one period. A caller without a command
    calls `advance` instead; after 20 ms the watchdog of the drives starts damping.

    Attributes:
        robot, scenario, seed: arguments of the constructor.
        world: MuJoCo model and data of the run.
        truth: true state, updated in place.
        drives: drives of the robot.
        gantry: gantry that the robot hangs from; None without one.
        fell, fell_at_s: whether and when the robot fell [s]; only a robot with a floating base can fall.
        events: events of the run so far: dicts of t_s [s], kind and text.

    Args:
        robot: model of the robot.
        scenario: ground, plant, sensors and events.
        seed: random seed for sensor noise, biases, model error and terrain; the same seed gives the same
            bits.
        mailbox: pushes from other programs; None for a simulation that takes none.

    Raises:
        ConfigError: the model cannot be simulated.
    """

    def __init__(
        self, robot: RobotModel, scenario: Scenario, seed: int = 0, mailbox: PushMailbox | None = None
    ) -> None:
        self.robot = robot
        self.scenario = scenario
        self.seed = seed
        self._steps = period_steps(robot)
        self.world: World = build_world(robot, scenario, seed)
        self.gantry = Gantry(robot, self.world, scenario.gantry) if scenario.gantry is not None else None
        holding = place(robot, self.world) if self.gantry is None else self.gantry.hang()
        self._data = self.world.data
        self._model = self.world.model
        self.truth = Truth(robot, self.world)
        self.truth.update_mass()
        self.truth.update(0.0)
        self.drives = drives_of(
            robot,
            self.truth.q[robot.nq_base :].copy(),
            holding,
            round(scenario.sensors.delay_ms * 1e-3 / STEP_S),
        )
        self.fell = False
        self.fell_at_s: float | None = None
        self.events: list[dict[str, Any]] = []
        sensors = scenario.sensors
        self._noise = SensorNoise(robot, sensors.noise.scaled(sensors.noise_scale), seed)
        measured = sensors.outside_pose if robot.floating else None
        self._outside = OutsideSensor(measured, seed) if measured is not None else None
        self._wrists: WristSensors | None = None
        if robot.wrists:
            values, address = self._data.sensordata, self.world.sensor
            self._wrists = WristSensors(robot, scenario, values, address, self.truth, seed)
        self._row = robot.new_sensor_row()
        self._readout = None if sensors.direct() else Readout(robot, sensors, seed)
        self._told = self._row
        self._ctrl = self._data.ctrl
        self._qvel = self._data.qvel
        self._v_true = np.zeros(robot.na)
        self._tick = 0
        self._diverged = False
        self._fallen_height_m = FALLEN_HEIGHT * self._height_m() if robot.floating else 0.0
        self._trunk_ground = self._sensor("trunk_ground", 1)
        self._gyro = self._sensor("gyro", 3) if robot.floating else np.zeros(3)
        self._accel = self._sensor("accel", 3) if robot.floating else np.zeros(3)
        self._has_force_sensor = np.array([contact.force_sensor for contact in robot.contacts], dtype=bool)
        self._pushes = _PushSchedule(robot, scenario, self.world)
        self._mailbox, self._pushable = mailbox, pushable(robot)
        self._payloads = list(self.world.payloads)
        self._people = People(robot, scenario.events, STEP_S)
        self._loads = SharedLoads(robot, scenario, self.world, self.truth)
        self._start_events()
        self._sample()

    @property
    def t_s(self) -> float:
        """Time since the start of the run [s]."""
        return self._tick * STEP_S

    @property
    def outside(self) -> OutsideRow | None:
        """The newest pose that was measured from outside; None without such a measurement."""
        return self._outside.row if self._outside is not None else None

    @property
    def refused_commands(self) -> int:
        """Number of commands that were refused because they were not finite or out of range."""
        return self.drives.refused

    @property
    def left_envelope(self) -> str:
        """Why a command left the robot's envelope, so that the drives damp; empty if none did."""
        return self.drives.envelope.reason

    def read(self, sensors: SensorRow) -> bool:
        """Copies the newest sample into a sensor row; the sample stays the same until the next step."""
        sensors.data[:] = self._told.data
        return True

    def write(self, command: CommandRow) -> None:
        """Gives a command to the drives and advances the simulation by one period."""
        self.drives.offer(command)
        self.advance()

    def advance(self) -> None:
        """Advances the simulation by one control period, with or without a new command."""
        for _ in range(self._steps):
            self.step()

    def step(self) -> None:
        """Advances the simulation by one millisecond, in which the drives compute their torques once."""
        if self._diverged:
            return
        row, drives = self._row, self.drives
        before = drives.state
        np.take(self._qvel, self.world.joint_dof, out=self._v_true, mode="clip")
        self._ctrl[:] = drives.step(row.q, row.v, self._v_true)
        if drives.state is DriveState.DAMPING and before is not DriveState.DAMPING:
            why = drives.envelope.reason or "no new command for 20 ms"
            self._record(DRIVE_DAMPING, f"{why}: the drives damp on their own")
        mujoco.mj_step2(self._model, self._data)
        if self._loads.held:
            self._loads.measure()
        mujoco.mj_step1(self._model, self._data)
        self._tick += 1
        self.truth.update(self.t_s)
        self._check_fall()
        self._start_events()
        self._sample()

    def push(self, push: Push) -> None:
        """Starts a push now; it begins with the next period, as one of the scenario at this time would.

        Args:
            push: link (also `trunk` or a hand), impulse and duration.

        Raises:
            ValueError: the robot has no such link.
        """
        known = self._pushable
        if push.link not in known:
            raise ValueError(
                f"'{push.link}' is not a link of {self.robot.name}{did_you_mean(push.link, known)}"
            )
        self._pushes.add(push, self._tick)
        self._start_events()

    def rearm(self) -> None:
        """Re-arms the drives, so that the next new command ends their damping."""
        self.drives.rearm()

    def close(self) -> None:
        """Makes the drives damp from now on."""
        self.drives.damp()

    def _sensor(self, name: str, size: int) -> Vector:
        start = self.world.sensor[name]
        view: Vector = self._data.sensordata[start : start + size]
        return view

    def _sample(self) -> None:
        row, truth, robot = self._row, self.truth, self.robot
        row.seq[0] = self._tick
        row.t_s[0] = self._tick * STEP_S
        row.q[:] = truth.q[robot.nq_base :]
        row.v[:] = truth.v[robot.n_base :]
        row.tau[:] = self.drives.tau if robot.description.torque_sensing else np.nan
        if robot.floating:
            row.gyro[:] = self._gyro
            row.accel[:] = self._accel
            row.contact_force_N[:] = np.nan
            np.copyto(row.contact_force_N, truth.normal_force_N, where=self._has_force_sensor)
        self._noise.add(row)
        if self._wrists is not None:
            self._wrists.sample(self._tick, row)
        if self._readout is not None:
            self._told = self._readout.tell(row)
        if self._outside is not None:
            self._outside.sample(self._tick, truth.q)

    def _check_fall(self) -> None:
        if not math.isfinite(float(self.truth.v.sum())):
            self._diverged = True
            self._fall("the simulation diverged")
            return
        if self.fell or not self.robot.floating:
            return
        q = self.truth.q
        # The third row, third column of R_WB is the cosine of the base's tilt.
        if 1.0 - 2.0 * (q[3] * q[3] + q[4] * q[4]) < FALLEN_TILT_COS:
            self._fall("tilted by more than 60 degrees")
        elif self._height_m() < self._fallen_height_m:
            self._fall("the centre of mass sank below half its height")
        elif self._trunk_ground[0] > 0.0:
            self._fall("the trunk touched the ground")

    def _height_m(self) -> float:
        """Returns the height of the centre of mass above the lowest sole [m]."""
        return float(self.truth.p_WC[2] - self.truth.p_WF[:, 2].min())

    def _fall(self, text: str) -> None:
        if not self.fell:
            self.fell = True
            self.fell_at_s = self.t_s
            self._record("fell", text)

    def _take_mail(self, mailbox: PushMailbox) -> None:
        for shove in mailbox.take():
            if shove.link >= len(self._pushable):
                continue
            link = self._pushable[shove.link]
            if shove.duration_s > 0.0:
                impulse_Ns = (shove.values[0].item(), shove.values[1].item(), shove.values[2].item())
                push = Push(link=link, impulse_Ns=impulse_Ns, duration_s=shove.duration_s)
                self._pushes.add(push, self._tick)
            elif self._pushes.pull(link, shove.values, self._tick):
                self._record("pull", f"{link} by hand")

    def _start_events(self) -> None:
        if self._mailbox is not None and self._mailbox.waiting:
            self._take_mail(self._mailbox)
        text = self._pushes.update(self._tick)
        if text:
            self._record("push", text)
        if self._people:
            text = self._people.update(self.t_s, self.truth.p_WH)
            self.world.push_hands(self._people.force_W)
            self.truth.push_W[:] = self._people.force_W
            if text:
                self._record("push", text)
        if self.gantry is not None:
            text = self.gantry.update(self.t_s)
            if text:
                self._record("gantry", text)
        if self._loads.waiting:
            text = self._loads.update(self._tick)
            if text:
                self._record("payload", text)
        while self._payloads and round(self._payloads[0].at_s / STEP_S) <= self._tick:
            payload = self._payloads.pop(0)
            if payload.at_s > 0.0:
                self.world.set_payload(payload)
                self.truth.update_mass()
            self._record("payload", payload.text)

    def _record(self, kind: str, text: str) -> None:
        self.events.append({"t_s": self.t_s, "kind": kind, "text": text})


class _PushSchedule:
    """Applies the pushes of a scenario, each over a whole number of ticks and with its exact impulse."""

    def __init__(self, robot: RobotModel, scenario: Scenario, world: World) -> None:
        self._robot = robot
        self._bodies = world.bodies
        self._force = world.data.xfrc_applied
        self._changes: list[tuple[int, int, Vector, str]] = []
        self._pulls: dict[int, tuple[int, Vector]] = {}
        for event in scenario.events:
            if event.push is not None:
                self.add(event.push, round(event.at_s / STEP_S))

    def add(self, push: Push, start: int) -> None:
        """Plans a push.

        Args:
            push: what acts.
            start: the tick before whose step it begins.
        """
        link = attachments(self._robot, push.link, (0.0, 0.0, 0.0))[0].link
        body = self._bodies[link]
        ticks = max(1, round(push.duration_s / STEP_S))
        force = np.array(push.impulse_Ns) / (ticks * STEP_S)
        impulse = ", ".join(f"{value:g}" for value in push.impulse_Ns)
        text = f"{link} by [{impulse}] Ns in {ticks} ms"
        self._changes += [(start, body, force, text), (start + ticks, body, -force, "")]
        self._changes.sort(key=lambda change: change[0])

    def pull(self, link: str, wrench: Vector, tick: int) -> bool:
        """Holds a wrench on a link for the next `PULL_TICKS`, in place of the one that is held on it now.

        Args:
            link: name of the link, or of a hand.
            wrench: (6,) force [N] and moment [Nm] at the centre of mass, in world axes.
            tick: the tick before whose step it begins.

        Returns:
            Whether nothing was held on the link before.
        """
        body = self._bodies[attachments(self._robot, link, (0.0, 0.0, 0.0))[0].link]
        held = self._pulls.get(body)
        self._force[body] += wrench - (held[1] if held is not None else 0.0)
        self._pulls[body] = (tick + PULL_TICKS, wrench)
        return held is None

    def _end_pulls(self, tick: int) -> None:
        for body in [body for body, (until, _) in self._pulls.items() if until <= tick]:
            self._force[body] -= self._pulls.pop(body)[1]
            if not any(change[1] == body for change in self._changes):
                self._force[body] = 0.0

    def update(self, tick: int) -> str:
        """Applies the changes of force at a tick; returns a description of the pushes that begin, or ""."""
        texts = []
        if self._pulls:
            self._end_pulls(tick)
        while self._changes and self._changes[0][0] <= tick:
            _, body, force, text = self._changes.pop(0)
            self._force[body, :3] += force
            if text:
                texts.append(text)
            elif body not in self._pulls and not any(change[1] == body for change in self._changes):
                # Adding and subtracting forces leaves a rounding error.
                self._force[body, :3] = 0.0
        return "; ".join(texts)
