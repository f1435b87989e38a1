"""A robot, a link and a fault proxy between them, moved on period by period from one thread."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import CommandRow
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.faults.proxy import FaultProxy, forward
from kilohertz.rt.host.realtime import DEFAULT_PRIORITY, LinuxKernel
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.scenario_schema import Sensors
from kilohertz.sim.server import SimulatedServer

ROBOT = "ur5"
MOST_TICKS = 200
ARRIVAL_MS = 200
ATTEMPTS = 10


@contextmanager
def loop_priority() -> Iterator[None]:
    """Gives this thread, and those it starts meanwhile, a control loop's priority, where the host lets us.

    An ordinary thread beside other programs is kept from its core for 5 to 10 ms now and then; how soon it
    answers says nothing of the loop.
    """
    kernel = LinuxKernel()
    before = kernel.scheduler()
    try:
        kernel.set_scheduler(os.SCHED_FIFO, DEFAULT_PRIORITY)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        kernel.set_scheduler(*before)


def waited_for_core_ms() -> float:
    """For how long this thread was ready to run but not let, since it began; 0 where nobody tells."""
    try:
        return 1e-6 * int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0


class LinkBench:
    """Time passes only in `tick`, so figures in periods do not depend on the host; a context manager.

    Args:
        robot: name of the robot.
        patient: whether the controller waits as long as the host needs; not so where its own deadline counts.

    Attributes:
        controller_us: processor time that the controller's end took in the last tick, which begins with the
            state there [us].
    """

    def __init__(self, robot: str = ROBOT, *, patient: bool = True) -> None:
        self.robot = RobotModel.load(robot)
        self._patient = patient
        self.controller_us = 0.0
        self._stack = ExitStack()
        self.rng = np.random.default_rng(0)
        self.command: CommandRow = self.robot.new_command_row()
        self.sensors = self.robot.new_sensor_row()

    def __enter__(self) -> LinkBench:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kilohertz-")))
        self.endpoint = f"ipc://{folder / 'robot'}"
        front = f"ipc://{folder / 'proxy'}"
        scenario = load_scenario("stand", self.robot)
        # Noise on a velocity is a step in a damping torque, and no fault.
        scenario = scenario.model_copy(update={"sensors": Sensors.model_validate({"noise": "none"})})
        self._scenario = scenario
        self.server = SimulatedServer(self.robot, scenario, self.endpoint)
        self._stack.callback(lambda: self.server.close())
        self.proxy = self._stack.enter_context(FaultProxy(front, self.endpoint))
        self.link = self.new_link()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def replace_robot(self) -> None:
        """The robot dies without a word, and another one, which knows nothing of it, takes its place."""
        self.server.abandon()
        self.server = SimulatedServer(self.robot, self._scenario, self.endpoint)

    def new_link(self, *, through_proxy: bool = True) -> ZmqLink:
        """One more controller."""
        endpoint = self.proxy.front if through_proxy else self.endpoint
        silent_ms = ARRIVAL_MS if self._patient else None
        link = ZmqLink(self.robot, endpoint, truth=False, lockstep=self._patient, silent_ms=silent_ms)
        self._stack.callback(link.abandon)
        return link

    def arm(self) -> None:
        """Puts the robot back, mends the proxy, arms, and lets the controller command a few periods.

        A busy host may make a state late or, as time passes faster here than it should, fill a queue; that is
        not the fault that is looked for.

        Raises:
            LinkLostError: it does not work for other reasons.
        """
        for attempt in range(ATTEMPTS):
            try:
                self._arm()
                return
            except LinkLostError:
                if attempt == ATTEMPTS - 1:
                    raise

    def _arm(self) -> None:
        self.proxy.up = self.proxy.down = forward
        self.server.hang_up()
        self.link.arm(between=self.server.serve_tick)
        # On a busy host states are still under way, and an answer to an old one comes too late.
        while self.link.newest_state < self.server.side.state_seq:
            self.link.peek(self.sensors)
        self.command.copy_from(self.server.simulated.drives.commanded)
        for _ in range(5 + int(self.rng.integers(10))):
            if not self.tick():
                raise LinkLostError(self.link.lost_because)

    def tick(self) -> bool:
        """One period of both ends: state, command, and the command's way; whether the controller goes on."""
        if not self._news():
            return False
        counts = self.server.side.counts
        accepted = counts.accepted
        start_ns = time.thread_time_ns()
        self.link.write(self.command)
        self.controller_us = 1e-3 * (time.thread_time_ns() - start_ns)
        for _ in range(ARRIVAL_MS):
            self.server.wait_for_packet(1)
            self.server.take_in()
            if counts.accepted != accepted:
                break
        return True

    def _news(self) -> bool:
        """One period of the robot, whose state the controller reads; another one where a queue lost it."""
        for _ in range(ATTEMPTS if self._patient else 1):
            self.server.serve_tick()
            if self.link.read(self.sensors):
                return True
            if "no state" not in self.link.lost_because:
                return False
        return False

    def ticks_to_damping(self) -> int:
        """Periods of the robot alone until it damps; MOST_TICKS if it does not."""
        for ticks in range(1, MOST_TICKS):
            self.server.serve_tick()
            if self.server.side.mode == wire.DAMPING:
                return ticks
        return MOST_TICKS

    @property
    def tau_fraction(self) -> np.ndarray:
        """(na,) torque of the drives over its limit."""
        return self.server.simulated.drives.tau / self.robot.torque_limit_Nm
